"""The law of content: a person gets the same text from every platform as from here."""

import html
import re
from collections.abc import Callable

import liquid
import pytest
from hypothesis import given

from tests.content.blocks import blocks, people
from tests.content.engines import (
    data_of,
    render_braze,
    render_customerio,
    render_hubspot,
    render_klaviyo,
    render_mailchimp,
)
from transforms.content.platforms import say_block
from transforms.content.read import read_block
from transforms.content.render import Person, render
from transforms.segments.language.errors import SourceFile

ENGINES: dict[str, Callable[[str, Person], str]] = {
    "braze": render_braze,
    "customerio": render_customerio,
    "hubspot": render_hubspot,
    "klaviyo": render_klaviyo,
}
MERGE_FIELDS = {
    "first_name": "FNAME",
    "city": "CITY",
    "age": "AGE",
    "computed.orders": "ORDERS",
    "segments.vip": "SEG_VIP",
    "segments.lapsing": "SEG_LAPS",
}


def seen(text: str) -> str:
    """What a reader sees: platforms escape with different names of the same characters."""
    return html.unescape(text)


@pytest.mark.parametrize("platform", sorted(ENGINES))
@given(template=blocks(), person=people())
def test_a_platform_shows_what_is_rendered_here(platform: str, template: str, person: Person) -> None:
    source = SourceFile("block.liquid", template)
    body = read_block(source)
    said = say_block(body, platform, source, {})
    assert seen(ENGINES[platform](said, person)) == seen(render(body, person))


@given(template=blocks(with_or=False), person=people())
def test_mailchimp_shows_what_is_rendered_here(template: str, person: Person) -> None:
    source = SourceFile("block.liquid", template)
    body = read_block(source)
    said = say_block(body, "mailchimp", source, MERGE_FIELDS)
    assert seen(render_mailchimp(said, person, MERGE_FIELDS)) == seen(render(body, person))


@given(template=blocks().filter(lambda text: "blank" not in text), person=people())
def test_liquid_itself_says_the_same(template: str, person: Person) -> None:
    """The source is Liquid, whose own engine is the oracle; but engines differ on what they say of nil and blank."""
    data = data_of(person)
    values = {"profile": data, "computed": data, "segments": sorted(person.segments)}
    by_liquid = liquid.Environment().from_string(template).render(**values)
    assert by_liquid == seen(render(read_block(SourceFile("block.liquid", template)), person)) or _escaped(template)


def _escaped(template: str) -> bool:
    """A template whose own text has entities reads differently once they are undone."""
    return re.search(r"&\w+;", template) is not None
