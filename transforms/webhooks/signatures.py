"""Whether a call comes from who says so: signatures as the vendors document them, over the bytes as they came.

| kind | signs | header |
| --- | --- | --- |
| `hmac` | the body | the signature, in hex or base64, after an optional prefix |
| `timestamped` | `TIMESTAMP.BODY` | `t=TIMESTAMP,v1=HEX`, several `v1` while a secret is replaced (Stripe) |
| `standard` | `ID.TIMESTAMP.BODY` | `webhook-signature: v1,BASE64 ...`, as Standard Webhooks says |
| `ecdsa` | `TIMESTAMP BODY`, without a space | a signature with a private key, base64 of DER (SendGrid) |
| `token` | nothing: the secret itself comes along | in a header, or in the query |
| `basic` | nothing | `Authorization: Basic`, `USER:PASSWORD` |

Several secrets are tried: after a rotation the old one signs for a while. Every comparison takes the same time.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal

from google.auth.crypt import base, es256

Kind = Literal["hmac", "timestamped", "standard", "ecdsa", "token", "basic"]
KINDS: tuple[Kind, ...] = ("hmac", "timestamped", "standard", "ecdsa", "token", "basic")
Algorithm = Literal["sha1", "sha256", "sha512"]
ALGORITHMS: tuple[Algorithm, ...] = ("sha1", "sha256", "sha512")
TOLERANCE_US = 300 * 1_000_000
_SECOND_US = 1_000_000


@dataclass(frozen=True, slots=True)
class Signature:
    """How a webhook is signed. What is secret is not shown.

    Attributes:
        kind: see the module.
        secrets: any of which may have signed; none: the webhook is off. For `ecdsa`: public keys, base64 of DER.
        header: that holds the signature, in lower case.
        query: the parameter that holds a token, where no header does.
        algorithm, encoding, prefix: of `hmac`.
        timestamp_header: of `ecdsa`.
        tolerance_us: how old or early a timestamp may be; None: any.
    """

    kind: Kind
    secrets: tuple[str, ...] = field(default=(), repr=False)
    header: str = ""
    query: str = ""
    algorithm: Algorithm = "sha256"
    encoding: Literal["hex", "base64"] = "hex"
    prefix: str = ""
    timestamp_header: str = ""
    tolerance_us: int | None = TOLERANCE_US


@dataclass(frozen=True, slots=True)
class Call:
    """A request: names of headers in lower case, the body's bytes as they came, when it came (microseconds UTC)."""

    headers: Mapping[str, str]
    query: Mapping[str, str]
    body: bytes = field(repr=False)
    now_us: int


def is_signed(signature: Signature, call: Call) -> bool:
    """Whether one of the secrets signed the call."""
    check = _CHECKS[signature.kind]
    # Every secret is tried, whichever was right: how long it takes tells nothing.
    return True in [check(signature, secret, call) for secret in signature.secrets]


def _digest(secret: bytes, text: bytes, algorithm: Algorithm) -> bytes:
    return hmac.new(secret, text, getattr(hashlib, algorithm)).digest()


def _decoded(text: str, encoding: str) -> bytes:
    """What a text encodes; nothing, which no signature is, if it does not."""
    try:
        return bytes.fromhex(text) if encoding == "hex" else base64.b64decode(text, validate=True)
    except (ValueError, binascii.Error):
        return b""


def _hmac(signature: Signature, secret: str, call: Call) -> bool:
    given = call.headers.get(signature.header, "").strip()
    if not given.startswith(signature.prefix):
        return False
    expected = _digest(secret.encode(), call.body, signature.algorithm)
    return hmac.compare_digest(expected, _decoded(given.removeprefix(signature.prefix), signature.encoding))


def _timestamped(signature: Signature, secret: str, call: Call) -> bool:
    pairs = [part.strip().partition("=") for part in call.headers.get(signature.header, "").split(",")]
    timestamps = [value for name, _, value in pairs if name == "t"]
    if len(timestamps) != 1 or not _is_recent(timestamps[0], signature, call):
        return False
    expected = _digest(secret.encode(), timestamps[0].encode() + b"." + call.body, "sha256")
    given = [_decoded(value, "hex") for name, _, value in pairs if name == "v1"]
    return True in [hmac.compare_digest(expected, one) for one in given]


def _standard(signature: Signature, secret: str, call: Call) -> bool:
    message_id, timestamp = call.headers.get("webhook-id", ""), call.headers.get("webhook-timestamp", "")
    key = _decoded(secret.removeprefix("whsec_"), "base64")
    if not message_id or not key or not _is_recent(timestamp, signature, call):
        return False
    expected = _digest(key, f"{message_id}.{timestamp}.".encode() + call.body, "sha256")
    versions = [one.partition(",") for one in call.headers.get("webhook-signature", "").split()]
    given = [_decoded(value, "base64") for version, _, value in versions if version == "v1"]
    return True in [hmac.compare_digest(expected, one) for one in given]


def _ecdsa(signature: Signature, secret: str, call: Call) -> bool:
    timestamp = call.headers.get(signature.timestamp_header, "")
    if not _is_recent(timestamp, signature, call):
        return False
    raw = _of_der(_decoded(call.headers.get(signature.header, "").strip(), "base64"))
    try:
        verified: bool = public_key(secret).verify(timestamp.encode() + call.body, raw)
    except ValueError:
        return False
    return verified


def public_key(text: str) -> base.Verifier:
    """A public key on P-256, from base64 of DER.

    Raises:
        ValueError: it is none.
    """
    pem = f"-----BEGIN PUBLIC KEY-----\n{text.strip()}\n-----END PUBLIC KEY-----\n"
    try:
        verifier = es256.ES256Verifier.from_string(pem)
    except (TypeError, ValueError):
        raise ValueError("no public key: expected base64 of DER, on P-256") from None
    return verifier


def _of_der(signature: bytes) -> bytes:
    """Both numbers of a DER signature, 32 bytes each; nothing, if it is none."""
    if len(signature) < 8 or signature[0] != 0x30 or signature[1] != len(signature) - 2:
        return b""
    numbers, rest = [], signature[2:]
    while rest:
        if len(rest) < 3 or rest[0] != 0x02 or rest[1] > len(rest) - 2:
            return b""
        number, rest = rest[2 : 2 + rest[1]], rest[2 + rest[1] :]
        numbers.append(number.lstrip(b"\0").rjust(32, b"\0"))
    return b"".join(numbers) if len(numbers) == 2 else b""


def _token(signature: Signature, secret: str, call: Call) -> bool:
    given = call.headers.get(signature.header, "") if signature.header else call.query.get(signature.query, "")
    return hmac.compare_digest((signature.prefix + secret).encode(), given.encode("utf-8", "replace"))


def _basic(_signature: Signature, secret: str, call: Call) -> bool:
    scheme, _, value = call.headers.get("authorization", "").partition(" ")
    given = _decoded(value.strip(), "base64") if scheme.lower() == "basic" else b""
    return hmac.compare_digest(secret.encode(), given)


def _is_recent(timestamp: str, signature: Signature, call: Call) -> bool:
    if not timestamp.isdecimal() or not timestamp.isascii() or len(timestamp) > 12:
        return False
    if signature.tolerance_us is None:
        return True
    return abs(call.now_us - int(timestamp) * _SECOND_US) <= signature.tolerance_us


_CHECKS: dict[Kind, Callable[[Signature, str, Call], bool]] = {
    "hmac": _hmac,
    "timestamped": _timestamped,
    "standard": _standard,
    "ecdsa": _ecdsa,
    "token": _token,
    "basic": _basic,
}
