"""The segments and computed traits that ship load without a warning, and editors' schemas agree with the loader."""

import json
from pathlib import Path

import jsonschema
import pytest
import yaml

from schemas.tracking_plan import load_tracking_plan
from transforms.segments.language.cost import describe_cost
from transforms.segments.language.definition_files import SEGMENT_KEYS, TRAIT_KEYS
from transforms.segments.language.definitions import load_definitions

ROOT = Path(__file__).parents[3]
SEGMENT_SCHEMA = json.loads((ROOT / "schemas/segment.schema.json").read_text())
TRAIT_SCHEMA = json.loads((ROOT / "schemas/trait.schema.json").read_text())
SEGMENT_FILES = sorted((ROOT / "segments").glob("*.yaml"))
TRAIT_FILES = sorted((ROOT / "traits").glob("*.yaml"))


def read(file: Path) -> object:
    """As an editor does: dates are text."""
    return yaml.load(file.read_text(), Loader=yaml.BaseLoader)  # noqa: S506 - BaseLoader makes nothing but text


def test_they_load_without_a_warning() -> None:
    loaded = load_definitions(ROOT / "segments", ROOT / "traits", load_tracking_plan())
    assert loaded.warnings == []
    assert 8 <= len(loaded.definitions.about("users").segments) <= 12
    assert len(loaded.definitions.about("accounts").segments) == 2
    assert len(loaded.definitions.traits) >= 6
    assert all(segment.description for segment in loaded.definitions.segments)
    assert all(trait.description for trait in loaded.definitions.traits)


def test_no_shipped_rule_keeps_events_for_ever() -> None:
    definitions = load_definitions(ROOT / "segments", ROOT / "traits").definitions
    assert [segment.name for segment in definitions.segments if not describe_cost(segment).bounded] == []
    assert [trait.name for trait in definitions.traits if not describe_cost(trait).bounded] == []


@pytest.mark.parametrize("file", SEGMENT_FILES, ids=lambda file: file.stem)
def test_segments_follow_their_schema(file: Path) -> None:
    document = read(file)
    if isinstance(document, dict) and "anonymous" in document:
        document["anonymous"] = document["anonymous"] == "true"
    jsonschema.validate(document, SEGMENT_SCHEMA)


@pytest.mark.parametrize("file", TRAIT_FILES, ids=lambda file: file.stem)
def test_traits_follow_their_schema(file: Path) -> None:
    jsonschema.validate(read(file), TRAIT_SCHEMA)


def test_schemas_name_every_key() -> None:
    jsonschema.Draft202012Validator.check_schema(SEGMENT_SCHEMA)
    jsonschema.Draft202012Validator.check_schema(TRAIT_SCHEMA)
    assert set(SEGMENT_SCHEMA["properties"]) == set(SEGMENT_KEYS)
    assert set(TRAIT_SCHEMA["properties"]) == set(TRAIT_KEYS)


@pytest.mark.parametrize(
    "document",
    [
        {},
        {"when": "x", "members": []},
        {"when": ""},
        {"when": "x", "expirs": "2027-01-01"},
        {"when": "x", "max_membership": "14"},
        {"when": "x", "of": "groups"},
    ],
)
def test_the_schema_refuses_what_the_loader_refuses(document: object) -> None:
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(document, SEGMENT_SCHEMA)
