"""What a person reads when the job is done."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from pipelines.io.outputs import BigQueryOutput
from pipelines.options.profiles import parse_profiles_options
from pipelines.words.event import plain, tell_event, tell_instant
from pipelines.words.summary import summary_lines
from tests.jobs.conftest import VIEWERS
from tests.jobs.job import Ran, run_job, write_lines, write_segment
from tests.jobs.messages import message, track

ROOT = Path(__file__).parents[2]
BOOT = {"product_id": "p_018", "name": "Rain Boot"}


@pytest.fixture(scope="module", params=["duckdb:{}/tables.duckdb", "files:{}/tables"], ids=["duckdb", "files"])
def ran(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Ran:
    """A small shop with one event of each outcome."""
    folder = tmp_path_factory.mktemp("shop")
    write_segment(folder, "viewers", VIEWERS)
    (folder / "segments" / "vip.yaml").write_text("description: Regulars.\nmembers: [ann]\n")
    write_segment(folder, "quiet", "event('Order Completed').count() = 0")
    write_lines(
        folder / "events" / "a.ndjson",
        [
            track("m1", "Product Viewed", "11:00", properties=BOOT, anonymousId="phone"),
            track("m1", "Product Viewed", "11:00", properties=BOOT, anonymousId="phone"),
            track("m2", "Product Viewed", "11:01", properties={"product_id": "p_1"}),
            track("m3", "Product Viewed", "11:02", properties={"product_id": "p_2"}),
            track("m4", "Tea Poured", "11:30", userId=None, anonymousId="a-stranger"),
            message("m5", "identify", "11:31", userId="bob", traits={"phone": "none of yours", "age": "old"}),
            message("m6", "delete", "11:32", userId="bob"),
            message("m7", "alias", "11:33", userId="ann", previousId="ann-before"),
            message("m8", "identify", "11:34", userId="cy", traits={"email": "cy@example.com", "phone": "12"}),
            b"nonsense",
        ],
    )
    return run_job(folder, f"--output={request.param.format(folder)}")


def numbers(ran: Ran, start: str) -> list[str]:
    """The words of the line that starts so."""
    return next(line for line in ran.out.splitlines() if line.strip().startswith(start)).split()


def test_every_event_is_accounted_for(ran: Ran) -> None:
    assert numbers(ran, "Events read") == ["Events", "read", "10"]
    found = {name: int(numbers(ran, name)[1]) for name in ("accepted", "duplicate", "erased", "failed")}
    assert found == {"accepted": 6, "duplicate": 1, "erased": 2, "failed": 1}
    assert numbers(ran, "malformed_json") == ["malformed_json", "1"]


def test_profiles_and_segments_are_counted(ran: Ran) -> None:
    assert [numbers(ran, name)[1] for name in ("Profiles", "users", "anonymous")] == ["3", "2", "1"]
    assert numbers(ran, "quiet")[1:3] == ["3", "100.0%"]
    assert numbers(ran, "viewers")[1:3] == ["1", "33.3%"]


def test_an_accounts_share_is_of_all_accounts(folder: Path) -> None:
    (folder / "segments" / "on_trial.yaml").write_text("of: accounts\nwhen: trait('plan') = 'trial'\n")
    joins = [
        message(f"g{number}", "group", "11:00", userId="ann", groupId=f"g{number}", traits={"plan": plan})
        for number, plan in enumerate(("trial", "pro", "pro", "pro"))
    ]
    write_lines(folder / "events" / "a.ndjson", [*joins, track("m1", "Product Viewed", "11:00")])
    ran = run_job(folder, f"--output=duckdb:{folder / 'tables.duckdb'}")
    assert numbers(ran, "Accounts") == ["Accounts", "4"]
    assert numbers(ran, "Segments of accounts")[3:] == ["members", "of", "all", "accounts"]
    assert numbers(ran, "on_trial")[1:3] == ["1", "25.0%"]
    assert numbers(ran, "viewers")[1:3] == ["1", "100.0%"]


def test_members_are_explained_in_words(ran: Ran) -> None:
    text = " ".join(ran.out.split())
    assert "viewers: user:ann, since 1 March 11:00 viewed Rain Boot (p_018) on 1 March 11:00" in text
    assert "vip: user:ann, since 1 March 11:00 is on the list" in text
    assert "for what it has not done" in text


def test_what_is_worth_a_look_takes_a_line(ran: Ran) -> None:
    assert "Note: Track events that no schema names: Tea Poured 1" in ran.out
    assert "Note: Profiles with a trait that its column cannot hold: phone 1" in ran.out


def test_it_fits_and_tells_no_personal_data(ran: Ran) -> None:
    widest = max(len(line) for line in ran.out.splitlines() if str(ran.database.parent) not in line)
    assert widest <= 100
    assert "example.com" not in ran.out
    assert "none of yours" not in ran.out


def test_the_query_works_when_pasted(ran: Ran) -> None:
    query = ran.out[ran.out.index("Try\n") + len("Try\n") :].replace(
        ran.out.split("Try\n")[1].split()[0], sys.executable, 1
    )
    done = subprocess.run(["bash", "-c", query], capture_output=True, text=True, check=True, cwd=ROOT)  # noqa: S607
    assert "profile_id" in done.stdout
    assert "user:ann" in done.stdout


def test_bigquery_gets_what_the_counters_know(folder: Path) -> None:
    write_lines(folder / "events" / "a.ndjson", [track("m1", "Product Viewed")])
    places = [f"--input={folder / 'events'}", f"--segments={folder / 'segments'}", f"--output=duckdb:{folder / 'x'}"]
    options = parse_profiles_options(places)
    counters = {"events_read": 12, "events_accepted": 9, "events_failed:not_utf8": 3, "profiles_built": 4}
    elsewhere = replace(options, output=BigQueryOutput("shop-project", "tidemark"))
    text = "\n".join(summary_lines(elsewhere, counters, 2.0))
    assert "Events read              12" in text
    assert "    not_utf8                       3" in text
    assert "Profiles                  4" in text
    assert "Output  bigquery:shop-project.tidemark" in text


@pytest.mark.parametrize(
    ("event", "words"),
    [
        (("track", "Product Viewed", '{"product_id":"p_018","name":"Rain Boot"}', None), "viewed Rain Boot (p_018)"),
        (("track", "Product Viewed", None, None), "viewed a product"),
        (("track", "Product Added", '{"name":5,"product_id":7}', None), "put 7 into the cart"),
        (
            ("track", "Order Completed", '{"products":[{"product_id":"p1"},{"product_id":"p2"}]}', None),
            "ordered p1 and 1 more",
        ),
        (("track", "Order Completed", '{"products":"p1"}', None), "ordered a product"),
        (("track", "Email Opened", '{"campaign_name":"Spring"}', None), "opened the mail 'Spring'"),
        (("track", "Tea Poured", "[]", None), "'Tea Poured'"),
        (("page", "Home", None, None), "visited the page 'Home'"),
        (("screen", None, None, None), "visited a screen"),
        (("identify", None, None, '{"email":"x@example.com","city":"Berlin"}'), "told city, email"),
        (("identify", None, None, None), "signed in"),
        (("alias", None, None, None), "was recognised under another id"),
    ],
)
def test_events_in_words(event: tuple[str, str | None, str | None, str | None], words: str) -> None:
    assert tell_event(*event) == words


def test_a_terminal_is_not_told_what_to_do() -> None:
    assert plain("\x1b[31mred\nline") == "?[31mred?line"
    assert plain("x" * 50) == "x" * 37 + "..."


def test_another_year_is_told() -> None:
    instant = datetime(2025, 12, 3, 9, 5, tzinfo=UTC)
    assert (tell_instant(instant, 2025), tell_instant(instant, 2026)) == ("3 December 09:05", "3 December 2025 09:05")
