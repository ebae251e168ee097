"""Every order arrives exactly once in its latest version, whatever the shop and the target do."""

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipelines.io.http.client import RequestError
from pipelines.io.pull.state import PullState, StateError
from pipelines.io.targets.target import TargetError
from services.shop_orders import START_US, ShopOrders
from tests.pull.shop_client import BASE, Pulling
from transforms.pull.paging import Paging, PagingError

STYLES = {
    "link": (f"{BASE}/orders", Paging("link", size_parameter="limit", size=7, reread=True)),
    "next": (f"{BASE}/orders/next", Paging("next", size_parameter="limit", size=7, path=("next",), reread=True)),
    "cursor": (
        f"{BASE}/orders/cursor",
        Paging("cursor", "cursor", size_parameter="limit", size=7, path=("cursor",), reread=True),
    ),
    "page": (
        f"{BASE}/orders/page",
        Paging("page", "page", size_parameter="limit", size=7, pages_header="X-Total-Pages", reread=True),
    ),
    "offset": (
        f"{BASE}/orders/offset",
        Paging("offset", "offset", size_parameter="limit", size=7, start=0, reread=True),
    ),
}


def pulling(path: Path, orders: int = 30, style: str = "link", **faults: str) -> Pulling:
    made = Pulling(ShopOrders(orders, BASE, {int(name[1:]): fault for name, fault in faults.items()}), path)
    url, paging = STYLES[style]
    made.definition = replace(made.definition, url=url, pages=paging)
    return made


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "orders.state"


@pytest.mark.parametrize("style", STYLES)
def test_every_order_comes_once_by_each_way_of_paging(path: Path, style: str) -> None:
    shop = pulling(path, style=style)
    counts = shop.pull()
    assert shop.totals() == shop.expected()
    assert (counts.new, counts.changed, counts.retracted) == (30, 0, 0)


@pytest.mark.parametrize("style", STYLES)
def test_pulling_again_adds_nothing(path: Path, style: str) -> None:
    shop = pulling(path, style=style)
    shop.pull()
    events = list(shop.target.events)
    counts = shop.pull()
    assert shop.target.events == events
    assert counts.new == counts.changed == 0


def test_an_order_that_changed_takes_the_place_of_its_former_version(path: Path) -> None:
    shop = pulling(path)
    shop.pull()
    shop.shop.change(1_003, total="5.50")
    counts = shop.pull()
    assert (counts.new, counts.changed, counts.retracted) == (0, 1, 1)
    assert shop.totals() == shop.expected()
    assert shop.totals()["1003"] == 5.5


def test_without_replaces_nothing_is_taken_back(path: Path) -> None:
    shop = pulling(path)
    shop.definition = replace(shop.definition, replaces=False)
    shop.pull()
    shop.shop.change(1_003, total="5.50")
    assert shop.pull().retracted == 0
    assert {event["type"] for event in shop.target.events} == {"track"}
    assert len(shop.target.events) == 31


@pytest.mark.parametrize("fault", ["change", "leave"])
@pytest.mark.parametrize("style", STYLES)
def test_orders_that_change_while_they_are_paged_hide_no_other(path: Path, style: str, fault: str) -> None:
    shop = pulling(path, style=style, n1=fault, n2=fault, n3=fault)
    shop.pull()
    left = {str(order["id"]) for order in shop.shop.orders.values() if order["status"] != "completed"}
    # What has left the list meanwhile was seen before; that it left, this API does not tell.
    assert {key: value for key, value in shop.totals().items() if key not in left} == shop.expected()


@pytest.mark.parametrize("fault", ["429", "429-decimal", "429-date", "500", "503", "lost", "html", "error"])
def test_a_fault_that_passes_costs_nothing(path: Path, fault: str) -> None:
    shop = pulling(path, n2=fault)
    shop.pull()
    assert shop.totals() == shop.expected()
    expected = {"429": 3.0, "429-decimal": 2.0, "429-date": 5.0}.get(fault, 1.0)
    assert shop.waits == [expected]


def test_a_token_that_ends_in_the_middle_is_renewed(path: Path) -> None:
    shop = pulling(path, n1="expire", n3="expire", n6="expire")
    shop.pull()
    assert shop.totals() == shop.expected()
    assert shop.waits == [], "a new token is asked for at once"


def test_a_token_that_is_refused_twice_ends_the_pull(path: Path) -> None:
    shop = pulling(path, n2="expire", n3="expire")
    with pytest.raises(RequestError, match="status 401: the credentials are refused"):
        shop.pull()
    shop.pull()
    assert shop.totals() == shop.expected()


def test_wrong_credentials_end_the_pull_without_telling_them(path: Path) -> None:
    shop = pulling(path)
    shop.definition.auth.settings["client_secret"] = "forgotten"  # noqa: S105 - a wrong one
    with pytest.raises(RequestError, match="refuses: invalid_client") as ended:
        shop.pull()
    assert "forgotten" not in str(ended.value)


def test_an_empty_page_with_a_next_one_is_no_end(path: Path) -> None:
    shop = pulling(path, n2="empty")
    shop.pull()
    assert shop.totals() == shop.expected()


@pytest.mark.parametrize("style", ["link", "next", "cursor"])
def test_a_next_page_that_repeats_ends_the_pull(path: Path, style: str) -> None:
    shop = pulling(path, style=style, **{f"n{number}": "repeat" for number in range(2, 9)})
    with pytest.raises(PagingError, match="read already"):
        shop.pull()
    state = PullState(path, "orders")
    assert state.cursor_us is None, "the pages were not read to their end"
    state.close()


def test_a_link_to_another_server_gets_no_credentials(path: Path) -> None:
    shop = pulling(path)
    shop.shop.base = "http://elsewhere.test"
    with pytest.raises(RequestError, match="another server"):
        shop.pull()


def test_a_fault_that_stays_ends_the_pull_and_the_cursor_stays(path: Path) -> None:
    shop = pulling(path, **{f"n{number}": "500" for number in range(3, 30)})
    with pytest.raises(RequestError, match="status 500, 8 times"):
        shop.pull()
    assert len(shop.totals()) == 14, "two pages are safe"
    shop.shop.faults = {}
    shop.pull()
    assert shop.totals() == shop.expected()


def test_a_wait_that_is_too_long_is_left_to_the_next_pull(path: Path) -> None:
    shop = pulling(path)
    answer = shop.shop.answer

    def busy(*arguments: object) -> object:
        found = answer(*arguments)  # type: ignore[arg-type]
        if arguments[0] == "/orders":
            found.status, found.headers = 429, {"retry-after": "7200"}
        return found

    shop.shop.answer = busy  # type: ignore[assignment,method-assign]
    with pytest.raises(RequestError, match="come again in 120 minutes"):
        shop.pull()


def test_rows_of_the_very_instant_of_the_last_one_are_not_missed(path: Path) -> None:
    """airbyte#14732."""
    shop = pulling(path)
    shop.pull()
    twin = dict(shop.shop.orders[1_029], id=5_000)
    shop.shop.orders[5_000] = twin
    shop.pull()
    assert shop.totals() == shop.expected()


def test_a_row_that_turns_up_late_within_the_overlap_is_not_missed(path: Path) -> None:
    """airbyte#27146."""
    shop = pulling(path)
    shop.pull()
    late = dict(shop.shop.orders[1_000], id=5_000, updated_at=shop.shop.orders[1_010]["updated_at"])
    shop.shop.orders[5_000] = late
    shop.pull()
    assert shop.totals() == shop.expected()


def test_a_row_without_a_time_of_change_is_read_at_first_and_known_by_its_creation(path: Path) -> None:
    """PostHog#76090."""
    shop = pulling(path)
    shop.shop.orders[1_004]["updated_at"] = None
    shop.pull()
    assert shop.totals() == shop.expected()


def test_a_row_of_the_future_does_not_hide_those_of_the_present(path: Path) -> None:
    shop = pulling(path)
    shop.shop.orders[1_004]["updated_at"] = "2099-01-01T00:00:00Z"
    shop.pull()
    shop.shop.change(1_007, total="1.00")
    shop.pull()
    assert shop.totals() == shop.expected()


def test_since_asks_for_less(path: Path) -> None:
    shop = pulling(path)
    shop.pull(since_us=START_US + 20 * 60_000_000)
    assert sorted(shop.totals()) == [str(1_000 + number) for number in range(20, 30)]


def test_an_older_version_that_comes_late_is_no_news(path: Path) -> None:
    shop = pulling(path)
    old = dict(shop.shop.orders[1_003])
    shop.shop.change(1_003, total="5.50")
    shop.pull()
    shop.shop.orders[1_003] = old
    assert shop.pull().changed == 0
    assert shop.totals()["1003"] == 5.5


def test_a_row_without_a_version_is_known_by_its_content_also_when_it_goes_back(path: Path) -> None:
    shop = pulling(path)
    shop.definition = replace(shop.definition, version=(), changed=None)
    shop.pull()
    first = dict(shop.shop.orders[1_003])
    for order in (dict(first, total="5.50"), first, dict(first, total="5.50")):
        shop.shop.orders[1_003] = order
        shop.pull()
        assert shop.totals() == shop.expected()
        assert shop.pull().changed == 0


@given(
    breaks=st.lists(st.tuples(st.integers(1, 12), st.booleans()), max_size=4),
    changes=st.lists(st.lists(st.integers(1_000, 1_029), max_size=5), min_size=1, max_size=4),
    style=st.sampled_from(sorted(STYLES)),
    faults=st.dictionaries(
        st.integers(1, 20), st.sampled_from(["expire", "429", "500", "lost", "change", "error", "empty"]), max_size=5
    ),
)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=25, deadline=None)
def test_kills_faults_and_changes_in_any_order(
    tmp_path: Path,
    breaks: list[tuple[int, bool]],
    changes: list[list[int]],
    style: str,
    faults: dict[int, str],
) -> None:
    path = tmp_path / "any.state"
    path.unlink(missing_ok=True)
    shop = pulling(path, style=style)
    shop.shop.faults = faults
    for number, orders in enumerate(changes):
        for order in orders:
            shop.shop.change(order, total=f"{number + 2}.25")
        shop.target.sent = 0
        shop.target.breaks_at, shop.target.breaks_after = breaks[number] if number < len(breaks) else (0, False)
        try:
            shop.pull()
        except (TargetError, RequestError):
            continue  # whatever it was: the next pull goes on
    shop.shop.faults, shop.target.breaks_at = {}, 0
    shop.pull()
    shop.pull()
    assert shop.totals() == shop.expected()


def test_the_state_of_another_source_or_of_a_pull_under_way_is_refused(path: Path, tmp_path: Path) -> None:
    state = PullState(path, "orders")
    with pytest.raises(StateError, match="another pull is using it"):
        PullState(path, "orders")
    state.close()
    with pytest.raises(StateError, match="is the state of the source 'orders', expected that of 'customers'"):
        PullState(path, "customers")
    (tmp_path / "text").write_text("no data base, but long enough to be taken for something" * 20)
    with pytest.raises(StateError, match="is no state of a pull"):
        PullState(tmp_path / "text", "orders")
