"""`GET /v1/pixel/TYPE`: an event in an address, as an image in an e-mail asks for it."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable
from typing import Any, Final

from transforms.collect.bodies import MAX_BODY_BYTES, BodyError, parse_json, too_large

IMAGE: Final = base64.b64decode("R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7")
"""A transparent GIF of one pixel."""


def pixel_record(query: Iterable[tuple[str, str]]) -> dict[str, Any]:
    """The event that a query holds: `data`, base64 of JSON in either alphabet, or dotted names (`properties.x=1`).

    Raises:
        BodyError: 400, there is no event in it.
    """
    pairs = list(query)
    data = next((value for name, value in pairs if name == "data"), None)
    if data is None:
        return _dotted(pairs)
    record = parse_json(_decoded(data))
    if not isinstance(record, dict):
        raise BodyError(400, "malformed_json", "data: expected a JSON object")
    for name, value in pairs:
        if name != "data":
            record.setdefault(name, value)
    return record


def _decoded(data: str) -> bytes:
    if len(data) > 2 * MAX_BODY_BYTES:
        raise too_large()
    # A plus sign reads as a space in a query, and the padding is often left out.
    text = data.replace(" ", "+").replace("-", "+").replace("_", "/").rstrip("=")
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
    except (binascii.Error, ValueError):
        raise BodyError(400, "malformed_encoding", "data: expected base64") from None


def _dotted(pairs: Iterable[tuple[str, str]]) -> dict[str, Any]:
    record: dict[str, Any] = {}
    for name, value in pairs:
        *folders, last = name.split(".")
        place = record
        for folder in folders:
            inner = place.setdefault(folder, {})
            if not isinstance(inner, dict):
                break
            place = inner
        else:
            place[last] = value
    return record
