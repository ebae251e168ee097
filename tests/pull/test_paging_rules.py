from datetime import UTC, datetime

import pytest

from transforms.pull.definition import Changed
from transforms.pull.paging import PageAnswer, PageRequest, Pages, Paging, PagingError, next_link
from transforms.pull.paths import steps_of, value_at
from transforms.pull.window import next_cursor, start_of, time_text
from transforms.retrying import wait_asked_for, wait_before


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ('<https://a.test/?page=2>; rel="next"', "https://a.test/?page=2"),
        ("<https://a.test/?page=2>; rel=next", "https://a.test/?page=2"),
        ('<https://a.test/?x=1,2;3>; title="a, b"; rel="next"', "https://a.test/?x=1,2;3"),
        ('<https://a.test/1>; rel="prev", <https://a.test/3>; rel="next"', "https://a.test/3"),
        ('<https://a.test/1>; rel="last next"', "https://a.test/1"),
        ('<https://a.test/1>; REL="Next"', "https://a.test/1"),
        ('<https://a.test/1>; rel="nextish"', None),
        ("", None),
    ],
)
def test_the_next_link_of_a_header(header: str, expected: str | None) -> None:
    assert next_link(header) == expected


def test_shopify_keeps_no_filter_beside_its_cursor() -> None:
    paging = Paging("cursor", "page_info", size_parameter="limit", size=250, path=("next",), keep=("limit",))
    pages = Pages(paging, {"status": "any"})
    assert pages.first() == PageRequest({"status": "any", "limit": "250"})
    assert pages.after(PageAnswer({"next": "abc"}, 250)) == PageRequest({"limit": "250", "page_info": "abc"})


def test_page_numbers_end_where_the_server_says_or_at_an_empty_page() -> None:
    told = Pages(Paging("page", "page", pages_header="X-WP-TotalPages"), {})
    assert told.first() == PageRequest({"page": "1"})
    assert told.after(PageAnswer([], 0, {"x-wp-totalpages": "2"})) == PageRequest({"page": "2"})
    assert told.after(PageAnswer([], 3, {"x-wp-totalpages": "2"})) is None
    untold = Pages(Paging("page", "page"), {})
    assert untold.after(PageAnswer([], 1)) == PageRequest({"page": "2"}), "a short page is no end"
    assert untold.after(PageAnswer([], 0)) is None


def test_offsets_count_what_came() -> None:
    pages = Pages(Paging("offset", "offset", size_parameter="limit", size=100, start=0), {})
    assert pages.after(PageAnswer([], 40)) == PageRequest({"limit": "100", "offset": "40"})
    assert pages.after(PageAnswer([], 0)) is None


def test_pages_that_go_in_a_circle_are_an_error() -> None:
    pages = Pages(Paging("next", path=("next",)), {})
    assert pages.after(PageAnswer({"next": "/2"}, 1)) == PageRequest({}, "/2")
    assert pages.after(PageAnswer({"next": "/1"}, 1)) == PageRequest({}, "/1")
    with pytest.raises(PagingError):
        pages.after(PageAnswer({"next": "/2"}, 1))


NOW = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("120", 120.0),
        ("2.0", 2.0),
        (" 0.5 ", 0.5),
        ("Thu, 01 Jan 2026 00:01:00 GMT", 60.0),
        ("Thursday, 01-Jan-26 00:01:00 GMT", 60.0),
        ("Wed, 31 Dec 2025 00:00:00 GMT", 0.0),
        ("-3", 0.0),
        ("soon", None),
        ("nan", None),
        (None, None),
    ],
)
def test_retry_after_of_each_form(header: str | None, seconds: float | None) -> None:
    assert wait_asked_for(header, NOW) == seconds


def test_waits_grow_unless_the_server_says_otherwise() -> None:
    assert [wait_before(attempt, None) for attempt in (1, 2, 3, 8)] == [1, 2, 4, 60]
    assert wait_before(5, 0.5) == 0.5


def test_the_window_begins_before_the_cursor_and_the_cursor_never_goes_back() -> None:
    changed = Changed((), overlap_us=10)
    assert start_of(changed, None, None) is None
    assert start_of(changed, 100, None) == 90
    assert start_of(changed, 100, 50) == 50
    assert next_cursor(None, None, 500) is None
    assert next_cursor(None, 300, 500) == 300
    assert next_cursor(None, 900, 500) == 500, "a row of the future"
    assert next_cursor(400, 300, 500) == 400
    assert next_cursor(None, 300, None) == 300


def test_instants_as_the_api_wants_them() -> None:
    at_us = 1_782_820_980_500_000
    told = [time_text(Changed((), format=form), at_us) for form in ("iso", "plain", "seconds", "milliseconds")]
    assert told == ["2026-06-30T12:03:00Z", "2026-06-30T12:03:00", "1782820980", "1782820980500"]


def test_paths() -> None:
    row = {"a": {"b.c": [{"d": 1}, None]}}
    assert value_at(row, steps_of(r"a.b\.c.0.d")) == 1
    assert value_at(row, steps_of("a.x.y")) is None
    assert value_at(row, steps_of(r"a.b\.c.7")) is None
    for wrong in ("", ".a", "a.", "a..b"):
        with pytest.raises(ValueError, match="is no path"):
            steps_of(wrong)
