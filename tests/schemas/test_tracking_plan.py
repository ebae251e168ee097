"""The plan: what ships, what a user adds, and what is refused before anything starts."""

from __future__ import annotations

import json
import pickle
from pathlib import Path

import jsonschema_rs
import pytest

from schemas.errors import SchemaErrors
from schemas.tracking_plan import EVENT_TYPES, load_tracking_plan

ROOT = Path(__file__).parents[2]
SHIPPED = sorted(path for path in (ROOT / "schemas" / "events").rglob("*.json") if not path.name.startswith("_"))
PLAN = load_tracking_plan()

COMMERCE = """
Products Searched, Product List Viewed, Product List Filtered, Promotion Viewed, Promotion Clicked, Product Clicked,
Product Viewed, Product Added, Product Removed, Cart Viewed, Checkout Started, Checkout Step Viewed,
Checkout Step Completed, Payment Info Entered, Order Updated, Order Completed, Order Refunded, Order Cancelled,
Coupon Entered, Coupon Applied, Coupon Denied, Coupon Removed, Product Added to Wishlist,
Product Removed from Wishlist, Wishlist Product Added to Cart, Product Shared, Cart Shared, Product Reviewed
"""


def errors_of(directory: Path) -> list[str]:
    with pytest.raises(SchemaErrors) as caught:
        load_tracking_plan(directory)
    return [str(problem).removeprefix(f"{directory}/") for problem in caught.value.problems]


def write(directory: Path, name: str, content: object) -> None:
    path = directory / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content if isinstance(content, str) else json.dumps(content))


# --- what ships ------------------------------------------------------------------------------------------------------


def test_the_e_commerce_spec_is_complete() -> None:
    assert {name.strip() for name in COMMERCE.split(",")} <= PLAN.event_names()


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_a_shipped_schema_is_named_after_its_event_and_requires_nothing(path: Path) -> None:
    schema = json.loads(path.read_text())
    assert path.stem == schema["title"].lower().replace(" ", "_")
    assert schema["description"].endswith(".")
    message = {"messageId": "m", "type": "track", "event": schema["title"]}
    validator = PLAN.validator("track", schema["title"])
    named = PLAN.properties_of(schema["title"])
    assert named is not None
    everything_null = dict.fromkeys(name for name in named if "." not in name)
    for properties in ({}, None, {"unheard_of": [1]}, everything_null):
        assert validator.errors(message | {"properties": properties}) == []
    assert validator.is_valid(message)
    for name, types in named.items():
        if "." not in name:
            wrong: dict[str, object] = {name: {}}
            assert "object" not in types
            assert not validator.is_valid(message | {"properties": wrong}), name


def test_the_envelope_alone_validates_by_type() -> None:
    validator = jsonschema_rs.validator_for(json.loads((ROOT / "schemas" / "envelope.json").read_text()))
    for event_type in EVENT_TYPES:
        assert validator.is_valid({"messageId": "m", "type": event_type, "event": "x", "groupId": "g", "retracts": "n"})
    assert not validator.is_valid({"messageId": "m", "type": "track"})
    assert not validator.is_valid({"messageId": "m", "type": "group"})
    assert not validator.is_valid({"messageId": "m", "type": "call"})


def test_properties_have_paths_and_types() -> None:
    properties = PLAN.properties_of("Order Completed")
    assert properties is not None
    assert properties["total"] == "number"
    assert properties["order_id"] == "number|string"
    assert properties["products.$.price"] == "number"
    assert PLAN.properties_of("Moon Seen") is None
    assert {"email", "address", "address.city", "consent.marketing"} <= PLAN.trait_names()


def test_docs_list_every_event_of_the_plan() -> None:
    page = (ROOT / "docs" / "events.md").read_text()
    assert {name for name in PLAN.event_names() if f"`{name}`" not in page} == set()


# --- what a user adds ------------------------------------------------------------------------------------------------


def test_files_add_and_override_by_title(tmp_path: Path) -> None:
    write(tmp_path, "moon.json", {"title": "Moon Seen", "properties": {"phase": {"type": "integer"}, "any": {}}})
    write(tmp_path, "deep/mine.json", {"title": "Product Viewed", "properties": {"x": {"type": ["string", "null"]}}})
    write(tmp_path, "_traits.json", {"properties": {"shoe_size": {}}})
    plan = load_tracking_plan(tmp_path)
    assert plan.event_names() == PLAN.event_names() | {"Moon Seen"}
    assert plan.properties_of("Moon Seen") == {"any": "any", "phase": "number"}
    assert plan.properties_of("Product Viewed") == {"x": "string"}
    assert plan.trait_names() == PLAN.trait_names() | {"shoe_size"}
    message = {"messageId": "m", "type": "track", "event": "Product Viewed", "properties": {"price": "x"}}
    assert plan.validator("track", "Product Viewed").is_valid(message)
    assert not PLAN.validator("track", "Product Viewed").is_valid(message)


def test_a_user_may_require_properties(tmp_path: Path) -> None:
    write(tmp_path, "moon.json", {"title": "Moon Seen", "type": "object", "required": ["phase"]})
    validator = load_tracking_plan(tmp_path).validator("track", "Moon Seen")
    message = {"messageId": "m", "type": "track", "event": "Moon Seen"}
    assert validator.errors(message) == ["/properties: is required"]
    assert validator.errors(message | {"properties": {}}) == ["/properties/phase: is required"]
    assert validator.errors(message | {"properties": {"phase": 1}}) == []


def test_files_refer_to_each_other_and_to_the_shipped_ones(tmp_path: Path) -> None:
    write(tmp_path, "_mine.json", {"$defs": {"phase": {"enum": ["new", "full"]}}})
    properties = {
        "phase": {"$ref": "../_mine.json#/$defs/phase"},
        "price": {"$ref": "/events/_shared.json#/$defs/money"},
        "next": {"$ref": "#"},
    }
    write(tmp_path, "sky/moon.json", {"title": "Moon Seen", "type": "object", "properties": properties})
    plan = pickle.loads(pickle.dumps(load_tracking_plan(tmp_path)))  # noqa: S301 - made here
    message = {"messageId": "m", "type": "track", "event": "Moon Seen"}
    wrong = {"phase": "old", "next": {"next": {"price": "secret"}}}
    assert plan.validator("track", "Moon Seen").errors(message | {"properties": wrong}) == [
        "/properties/next/next/price: expected number or null",
        '/properties/phase: expected "new" or "full"',
    ]
    named = plan.properties_of("Moon Seen")
    assert (named["phase"], named["price"]) == ("any", "number")


def test_every_keyword_hides_the_value(tmp_path: Path) -> None:
    keywords: dict[str, object] = {
        "const": "a", "enum": ["a"], "pattern": "^a$", "maxLength": 1, "format": "date", "type": "number",
        "anyOf": [{"const": "a"}], "oneOf": [{"const": "a"}], "not": {"type": "string"}, "$ref": "#/$defs/a",
    }  # fmt: skip
    properties = {f"p{number}": {keyword: value} for number, (keyword, value) in enumerate(keywords.items())}
    schema = {"title": "Moon Seen", "properties": properties, "$defs": {"a": {"const": "a"}}}
    write(tmp_path, "moon.json", schema)
    message = {
        "messageId": "m",
        "type": "track",
        "event": "Moon Seen",
        "properties": dict.fromkeys(properties, "secret"),
    }
    errors = load_tracking_plan(tmp_path).validator("track", "Moon Seen").errors(message)
    assert len(errors) == len(keywords) - 1  # formats are not asserted
    assert "secret" not in str(errors)


# --- what is refused -------------------------------------------------------------------------------------------------


def test_all_problems_of_all_files_with_their_lines(tmp_path: Path) -> None:
    write(tmp_path, "a.json", '{\n  "title": "A",\n  "properties": {\n    "x": {"type": "strin"}\n  }\n}')
    write(tmp_path, "b.json", '{\n  "title": "B",,\n}')
    write(tmp_path, "c.json", "[]")
    write(tmp_path, "d.json", '{\n  "description": "no title"\n}')
    write(tmp_path, "e.json", '{\n  "title": "E",\n  "type": "string"\n}')
    write(tmp_path, "f.json", '{\n  "$schema": "http://json-schema.org/draft-07/schema#",\n  "title": "F"\n}')
    write(tmp_path, "g.json", '{"title": "G", "title": "H"}')
    write(tmp_path, "h.json", {"title": "A"})
    write(tmp_path, "i.json", '{\n"title": "I",\n"properties": {"x": {\n"pattern": "(("}}}')
    (tmp_path / "j.json").write_bytes(b'{"title": "\xff"}')
    errors = errors_of(tmp_path)
    expected = [
        "a.json:4: not a JSON Schema: ",
        "b.json:2: not JSON: ",
        "c.json:1: a schema file holds one JSON object",
        "d.json:1: needs a `title`",
        "e.json:3: describes the properties of an event, so its `type` must be object",
        "f.json:2: `$schema` must be ",
        "g.json: the key 'title' occurs twice",
        "h.json:1: 'A' has a schema already, in ",
        "i.json:4: ",
        "j.json: cannot be read: ",
    ]
    assert len(errors) >= len(expected)
    for start in expected:
        assert any(error.startswith(start) for error in errors), (start, errors)


def test_references_that_lead_nowhere(tmp_path: Path) -> None:
    write(tmp_path, "a.json", '{\n"title": "A",\n"properties": {\n"x": {"$ref": "b.json"}}}')
    write(tmp_path, "c.json", '{\n"title": "C",\n"properties": {\n"x": {\n"$ref": "https://example.com/x.json"}}}')
    write(tmp_path, "d.json", '{"title": "D",\n"items": {"$ref": "#/$defs/nothing"}}')
    write(tmp_path, "e.json", '{"title": "E", "properties": {"x": {"const": {"$ref": "data"}}}}')
    assert [error.split(" ")[0] for error in errors_of(tmp_path)] == ["a.json:4:", "c.json:5:", "d.json:2:"]


def test_anchors_that_do_not_exist(tmp_path: Path) -> None:
    write(tmp_path, "a.json", '{"title": "A", "items": {"$ref": "#nothing"}}')
    (error,) = errors_of(tmp_path)
    assert error.startswith("a.json:1: ")


def test_an_id_does_not_move_a_file(tmp_path: Path) -> None:
    properties = {"price": {"$ref": "#/$defs/price"}}
    schema = {
        "$id": "https://example.com/a",
        "title": "A",
        "properties": properties,
        "$defs": {"price": {"type": "number"}},
    }
    write(tmp_path, "a.json", schema)
    assert load_tracking_plan(tmp_path).properties_of("A") == {"price": "number"}


def test_directories_without_schemas(tmp_path: Path) -> None:
    assert errors_of(tmp_path) == [f"{tmp_path}: holds no schema file (*.json)"]
    assert errors_of(tmp_path / "no") == [f"{tmp_path}/no: no such directory of schema files"]


def test_errors_pickle(tmp_path: Path) -> None:
    with pytest.raises(SchemaErrors) as caught:
        load_tracking_plan(tmp_path)
    assert pickle.loads(pickle.dumps(caught.value)).problems == caught.value.problems  # noqa: S301 - made here
