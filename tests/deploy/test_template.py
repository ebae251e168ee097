"""The Flex Template's metadata is made of the job's options: none is missing, and each says what it takes."""

import json
import re
from pathlib import Path

import jsonschema
import pytest

from deploy.template import LEFT_OUT, METADATA, PARAMETERS, metadata
from pipelines.options.profiles import profiles_argument_parser


def test_every_option_is_a_parameter_or_left_out_for_a_reason() -> None:
    options = {action.dest for action in profiles_argument_parser()._actions}
    assert set(PARAMETERS) | set(LEFT_OUT) == options
    assert not set(PARAMETERS) & set(LEFT_OUT)
    assert all(LEFT_OUT.values())


def test_the_file_is_what_is_generated() -> None:
    assert json.loads(METADATA.read_text()) == metadata(), "python -m deploy.template writes it again"


def test_it_has_the_published_form() -> None:
    schema = json.loads(Path(__file__).with_name("metadata.schema.json").read_text())
    jsonschema.Draft202012Validator(schema).validate(metadata())


@pytest.mark.parametrize("name", [name for name, shown in PARAMETERS.items() if shown.regex])
def test_an_example_matches(name: str) -> None:
    shown = PARAMETERS[name]
    assert re.fullmatch(shown.regex, shown.example)
    assert not re.fullmatch(shown.regex, "nonsense")
