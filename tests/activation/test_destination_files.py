"""Destination files: what they say, and every mistake at its place."""

from __future__ import annotations

from pathlib import Path

import pytest

from schemas.errors import DefinitionErrors
from transforms.activation.read_destinations import read_destinations

GOOD = """\
kind: mailchimp
settings: {server: us21, list: abc123, api_key: $MAILCHIMP_API_KEY}
segments: [viewed_not_purchased, recent_buyers]
fields: {FNAME: first_name, ORDERS: computed.orders_90_days}
consent: [marketing]
"""


def read(folder: Path, text: str, **more: object) -> str:
    (folder / "newsletter.yaml").write_text(text)
    with pytest.raises(DefinitionErrors) as raised:
        read_destinations(folder, **more)  # type: ignore[arg-type]
    return str(raised.value)


def test_a_file_says_everything(tmp_path: Path) -> None:
    (tmp_path / "newsletter.yaml").write_text(GOOD)
    [found] = read_destinations(tmp_path, {"MAILCHIMP_API_KEY": "secret-us21"})
    assert (found.name, found.kind, found.identifier) == ("newsletter", "mailchimp", "email")
    assert found.settings == {"server": "us21", "list": "abc123", "api_key": "secret-us21"}
    assert found.segments == ("viewed_not_purchased", "recent_buyers")
    assert found.fields == {"FNAME": "first_name", "ORDERS": "computed.orders_90_days"}
    assert found.consent == ("marketing",)


def test_the_shipped_files_are_good() -> None:
    names = [destination.name for destination in read_destinations("destinations")]
    assert names == ["automation", "crm", "newsletter", "purchase_history"]


@pytest.mark.parametrize(
    ("change", "place", "said"),
    [
        (("mailchimp", "mailchump"), "1:7", "did you mean 'mailchimp'?"),
        (("api_key:", "api_kee:"), "2:40", "did you mean 'api_key'?"),
        (("list: abc123, ", ""), "2:11", "needs the setting 'list'"),
        (("first_name", "frist_name"), "4:17", "did you mean 'first_name'?"),
        (("FNAME", "first name"), "4:10", "is no merge tag"),
        (("segments: [viewed_not_purchased, recent_buyers]", "segments: all"), "3:11", "a list of names"),
        (("consent:", "consents:"), "5:1", "did you mean 'consent'?"),
        (("kind: mailchimp\n", ""), "1:1", "no 'kind'"),
    ],
)
def test_a_mistake_is_told_at_its_place(change: tuple[str, str], place: str, said: str, tmp_path: Path) -> None:
    text = read(tmp_path, GOOD.replace(*change))
    assert f"newsletter.yaml:{place}: " in text
    assert said in text


def test_a_variable_that_is_not_set(tmp_path: Path) -> None:
    text = read(tmp_path, GOOD, environment={"MAILCHIMP_APIKEY": "x"})
    assert "the environment variable MAILCHIMP_API_KEY is not set" in text
    assert "did you mean 'MAILCHIMP_APIKEY'?" in text


def test_a_segment_that_there_is_not(tmp_path: Path) -> None:
    text = read(tmp_path, GOOD, segments=["viewed_not_purchased", "recent_buyer"])
    assert "newsletter.yaml:3:34: there is no segment 'recent_buyers'" in text
    assert "did you mean 'recent_buyer'?" in text


def test_all_mistakes_of_all_files_at_once(tmp_path: Path) -> None:
    (tmp_path / "other.yaml").write_text("kind: webhook\nsettings: {url: x}\nsegments: []\n")
    text = read(tmp_path, GOOD.replace("mailchimp", "mailchump"))
    assert "newsletter.yaml:1:7" in text
    assert "other.yaml:2:11: webhook needs the setting 'secret'" in text
