"""What a file `webhooks/NAME.yaml` says."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from transforms.pull.mapping import Field, Steps
from transforms.webhooks.signatures import Signature

BodyKind = Literal["json", "form"]


@dataclass(frozen=True, slots=True)
class Rule:
    """What becomes of an item for which every path of `when` has one of its values; `fields` None: it is an event."""

    when: tuple[tuple[Steps, frozenset[str]], ...]
    fields: tuple[Field, ...] | None


@dataclass(frozen=True, slots=True)
class WebhookDefinition:
    """One webhook.

    Attributes:
        name: of the file, and the last part of the path.
        signature: how it is signed.
        body: JSON, or a form whose names nest by brackets.
        items: where the list of items is; None: the body is the one item; `()`: the body itself is the list.
        identity: of an item: the first path with a value, or all paths hashed together; none: the item's content.
        hashed: whether it is all paths together.
        rules: each that an item fulfils makes an event of it.
        check: whether a GET is answered with 200: the vendor asks whether the address is there.
    """

    name: str
    signature: Signature
    rules: tuple[Rule, ...]
    body: BodyKind = "json"
    items: Steps | None = None
    identity: tuple[Steps, ...] = field(default=())
    hashed: bool = False
    check: bool = False
