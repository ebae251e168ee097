"""The fast validator says of a message what the reference implementation says."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT202012

from schemas.tracking_plan import EVENT_TYPES, load_tracking_plan
from schemas.tracking_plan_files import read_schema_files

PLAN = load_tracking_plan()
_RESOURCES = [(uri, Resource(contents, DRAFT202012)) for uri, contents in PLAN.resources.items()]
_REGISTRY: Any = Registry().with_resources(_RESOURCES)
_KINDS = [(event_type, None) for event_type in EVENT_TYPES] + [("track", name) for name in sorted(PLAN.events)]

_text = st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=4)
_leaves = st.none() | st.booleans() | st.integers(-5, 2**70) | st.floats(allow_nan=False, allow_infinity=False) | _text
_values = st.recursive(_leaves, lambda inner: st.lists(inner, max_size=2) | st.dictionaries(_text, inner, max_size=2))
_products = st.lists(st.none() | st.dictionaries(st.sampled_from(["price", "product_id", "sku"]), _values, max_size=2))
_names = st.sampled_from(["currency", "total", "order_id", "price", "coupon", "rating", "email_subject", "quantity"])
_properties = st.dictionaries(_names, _values, max_size=3) | st.fixed_dictionaries({"products": _products}) | _values
_fields = [
    "userId",
    "anonymousId",
    "groupId",
    "previousId",
    "name",
    "timestamp",
    "sentAt",
    "traits",
    "context",
    "event",
]


@given(
    st.sampled_from(_KINDS),
    st.dictionaries(st.sampled_from([*_fields, "messageId", "type"]), _values, max_size=3),
    _properties,
)
def test_on_any_message(kind: tuple[str, str | None], changes: dict[str, Any], properties: Any) -> None:
    event_type, name = kind
    record = {"messageId": "m", "type": event_type, "event": name or "x", "groupId": "g", "properties": properties}
    record |= changes
    schema = PLAN.message_schema(event_type, name)
    reference = jsonschema.Draft202012Validator(schema, registry=_REGISTRY)
    fast = PLAN.validator(event_type, name)
    assert fast.is_valid(record) == reference.is_valid(record)
    assert bool(fast.errors(record)) == (not fast.is_valid(record))


@pytest.mark.parametrize("folder", ["events"])
def test_the_shipped_schemas_are_in_order(folder: str) -> None:
    _, problems = read_schema_files(Path(__file__).parents[2] / "schemas" / folder, "https://x.invalid/")
    assert problems == []
