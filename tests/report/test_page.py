"""The page: complete, self-contained, the same for the same tables, and free of anybody's data."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import duckdb
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines import report
from pipelines.reporting.structure import structure_of, without_names
from tests.report.conftest import ROOT

VOID = {"meta", "link", "br", "img", "hr"}


@pytest.fixture(scope="module")
def page(tables: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> str:
    output = tmp_path_factory.mktemp("page") / "new" / "report.html"
    assert write(tables, output) == 0
    return output.read_text()


def write(tables: dict[str, Path], output: Path, kind: str = "duckdb") -> int:
    definitions = ["--segments", str(ROOT / "segments"), "--traits", str(ROOT / "traits")]
    return report.main(["--input", f"{kind}:{tables[kind]}", "--output", str(output), *definitions])


class Elements(HTMLParser):
    """Every element, and whether they are closed as they were opened."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.attributes: list[tuple[str, dict[str, str | None]]] = []
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.attributes.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.attributes.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_the_page_needs_nothing_from_outside_and_runs_no_script(page: str) -> None:
    elements = Elements(page)
    assert elements.open == []
    tags = {tag for tag, _ in elements.attributes}
    assert tags.isdisjoint({"script", "iframe", "object", "embed", "img"})
    for tag, attributes in elements.attributes:
        for name, value in attributes.items():
            assert not name.startswith("on"), (tag, name)
            if name in {"src", "href", "xlink:href", "action"}:
                assert value is not None
                assert value.startswith(("#", "data:")), (tag, value)
    assert not re.search(r"url\((?!#)|@import", page)
    assert "default-src 'none'" in page


def test_every_section_and_segment_is_there(page: str) -> None:
    for section in ("segments", "overlaps", "funnel", "events", "failed", "quality"):
        assert f'<section id="{section}">' in page
        assert f'href="#{section}"' in page
    for file in (ROOT / "segments").glob("*.yaml"):
        assert f"<h3>{file.stem}</h3>" in page
    charts = [attributes["aria-label"] for tag, attributes in Elements(page).attributes if tag == "svg"]
    assert len(charts) >= 12
    assert all(charts)


def test_ids_are_unique(page: str) -> None:
    ids = [attributes["id"] for tag, attributes in Elements(page).attributes if "id" in attributes]
    # Charts that clip to the same rectangle define it alike.
    repeated = {name for name in ids if ids.count(name) > 1}
    assert {name for name in repeated if name is None or not re.fullmatch(r"[mp][0-9a-f]{10}", name)} == set()


def test_the_same_tables_give_the_same_page(page: str, tables: dict[str, Path], tmp_path: Path) -> None:
    assert write(tables, tmp_path / "again.html") == 0
    assert (tmp_path / "again.html").read_text() == page
    assert write(tables, tmp_path / "files.html", "files") == 0
    assert (tmp_path / "files.html").read_text() == page


def test_the_page_holds_nobodys_data(page: str, tables: dict[str, Path]) -> None:
    with duckdb.connect(str(tables["duckdb"]), read_only=True) as connection:
        queries = (
            "select user_id from profiles where user_id is not null",
            "select unnest(anonymous_ids) from profiles",
            "select email from profiles where email is not null",
            "select phone from profiles where phone is not null",
            "select last_name from profiles where last_name is not null",
            "select message_id from events",
            "select message_id from failed_events where message_id is not null",
        )
        private = {str(value) for query in queries for (value,) in connection.execute(query).fetchall()}
    assert len(private) > 1_000
    words = set(re.findall(r"[\w@.+:-]+", page))
    assert private & words == set()
    assert "@" not in re.sub(r"@media|@page", "", page)


def test_failed_examples_show_structure_only() -> None:
    record = {
        "messageId": "m-1",
        "type": "track",
        "event": "Order Completed",
        "properties": {
            "total": "nine",
            "paid": True,
            "none": None,
            "ann@example.com": 1,
            "items": [{"id": 7}],
            "no": [],
        },
        "+49 30 123456": "x",
    }
    assert structure_of(orjson.dumps(record)) == (
        "{messageId: text, type: track, event: text, properties: {total: text, paid: true or false, none: null, "
        "(a name): number, items: [{...}, ...], no: []}, (a name): text}"
    )
    assert structure_of(b'{"name": "Ann') == "13 bytes that are not JSON"
    assert structure_of(b'{"type": "Ann"}') == "{type: text}"
    assert without_names("/properties/ann@example.com/0/price: expected number") == (
        "/properties/(a name)/0/price: expected number"
    )
    assert without_names(": unexpected end of data") == "(the record): unexpected end of data"


json_values: st.SearchStrategy[Any] = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
)


@given(json_values)
def test_no_value_of_a_record_is_shown(value: Any) -> None:
    marked = {"properties": {"a": value, "b": "SECRET", "c": ["SECRET"], "d": {"e": {"f": {"g": "SECRET"}}}}}
    shown = structure_of(orjson.dumps(marked))
    assert "SECRET" not in shown
    assert not re.search(r"\d{4}", shown)


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        (["--input", "oracle:x", "--output", "r.html"], 2, "unknown kind"),
        (["--input", "duckdb:missing.duckdb", "--output", "r.html"], 1, "there is no such file"),
        (["--input", "duckdb:x", "--output", "r.html", "--segments", "nowhere"], 2, "there is no such directory"),
        (["--input", "duckdb:x", "--output", "r.html", "--schemas", "nowhere"], 2, "nowhere"),
    ],
)
def test_wrong_arguments(capsys: pytest.CaptureFixture[str], arguments: list[str], status: int, said: str) -> None:
    assert report.main(arguments) == status
    assert said in capsys.readouterr().err


def test_tables_without_rows(tmp_path: Path) -> None:
    from pipelines import profiles

    (tmp_path / "events.ndjson").write_text("{}\n")
    (tmp_path / "segments").mkdir()
    (tmp_path / "segments" / "buyers.yaml").write_text("when: event('Order Completed').count() >= 1\n")
    source = ["--input", str(tmp_path / "events.ndjson"), "--segments", str(tmp_path / "segments")]
    place = f"duckdb:{tmp_path / 'empty.duckdb'}"
    assert profiles.main([*source, "--output", place]) == 0
    assert report.main(["--input", place, "--output", str(tmp_path / "report.html")]) == 0
    text = (tmp_path / "report.html").read_text()
    assert "There are no events." in text
    assert "Nobody has been in any segment." in text
