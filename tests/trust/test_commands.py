"""The commands over tables that the main job wrote: same rows and events again, decisions kept, rules that use them."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb
import orjson
import pytest

from pipelines import duplicates, predict, profiles, report
from pipelines.io.ledger import open_ledger
from pipelines.io.outputs import DuckDBOutput
from schemas.ledger import DUPLICATES, PREDICTION_TRIALS, PREDICTIONS
from tests.predictions import cdnow

ROOT = Path(__file__).parents[2]
TWICE = {"firstName": "Jane", "lastName": "Moreau", "birthday": "1984-03-17", "address": {"street": "12 Rue Example"}}


HUSBAND = {"firstName": "Paul", "birthday": "1981-01-02"}


def event(kind: str, user: str, at: str, **fields: object) -> bytes:
    message = {"type": kind, "messageId": f"{kind}-{user}-{at}", "userId": user, "timestamp": at, **fields}
    return orjson.dumps(message)


def orders() -> list[bytes]:
    """A sixth of the CDNOW sample as events, and two accounts of one person."""
    start = datetime(1970, 1, 1, tzinfo=UTC)
    made = [
        orjson.dumps(
            {
                "type": "track", "event": "Order Completed", "messageId": one.message_id, "userId": one.profile_id[5:],
                "timestamp": (start + timedelta(microseconds=one.at)).isoformat(),
                "properties": {"order_id": one.order_id, "revenue": one.amount, "currency": "USD"},
            }
        )
        for one in cdnow.orders()
        if int(one.profile_id[5:]) % 6 == 0
    ]  # fmt: skip
    return [
        *made,
        event("identify", "jane", "1997-02-01T00:00:00Z", traits=TWICE | {"email": "jane.moreau@gmail.com"}),
        event("identify", "jm", "1998-02-01T00:00:00Z", traits=TWICE | {"email": "janemoreau+x@googlemail.com"}),
        event(
            "identify", "paul", "1998-02-01T00:00:00Z", traits=TWICE | {"firstName": "Paul", "birthday": "1981-01-02"}
        ),
    ]


def run_job(folder: Path, segments: Path, *inputs: Path) -> str:
    tables = f"duckdb:{folder}/shop.duckdb"
    given = [word for place in inputs for word in ("--input", str(place))]
    assert profiles.main([*given, "--segments", str(segments), "--output", tables]) == 0
    return tables


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("shop")
    (folder / "orders.ndjson").write_bytes(b"\n".join(orders()) + b"\n")
    run_job(folder, ROOT / "examples" / "predictions" / "segments", folder / "orders.ndjson")
    return folder


def ledger_rows(folder: Path) -> tuple[list[tuple[object, ...]], ...]:
    with open_ledger(DuckDBOutput(f"{folder}/shop.duckdb.ledger.duckdb")) as ledger:
        return ledger.read(PREDICTIONS), ledger.read(PREDICTION_TRIALS), ledger.read(DUPLICATES)


def members(folder: Path) -> set[str]:
    with duckdb.connect(f"{folder}/shop.duckdb", read_only=True) as tables:
        return {name for (name,) in tables.execute("SELECT DISTINCT segment FROM memberships").fetchall()}


def test_predictions_are_events_that_rules_can_use(shop: Path, capsys: pytest.CaptureFixture[str]) -> None:
    output = shop / "predictions.ndjson"
    arguments = ["--input", f"duckdb:{shop}/shop.duckdb", "--as_of", "1998-06-30T23:00:00Z", "--events", str(output)]
    assert predict.main(arguments) == 0
    told, first, rows = capsys.readouterr().out, output.read_bytes(), ledger_rows(shop)
    assert "BG/NBD" in told
    assert "each goes on as before (naive)" in told
    assert predict.main(arguments) == 0
    assert (output.read_bytes(), ledger_rows(shop)) == (first, rows)
    event = orjson.loads(first.splitlines()[0])
    assert event["timestamp"].startswith("1998-06-30T23:00:00")
    assert set(event["traits"]) >= {"expected_orders", "churn_risk", "lifetime_value"}
    assert len(rows[0]) == len(first.splitlines())
    assert len(rows[1]) == 1
    assert members(shop) == set()
    run_job(shop, ROOT / "examples" / "predictions" / "segments", shop / "orders.ndjson", output)
    assert members(shop) == {"likely_to_leave", "valuable_and_active"}
    # Its own predictions, which are in the tables now, change nothing.
    assert predict.main(arguments) == 0
    assert output.read_bytes() == first


def test_the_report_draws_the_calibration(shop: Path) -> None:
    assert predict.main(["--input", f"duckdb:{shop}/shop.duckdb", "--as_of", "1998-06-30T23:00:00Z"]) == 0
    page = shop / "report.html"
    assert report.main(["--input", f"duckdb:{shop}/shop.duckdb", "--output", str(page)]) == 0
    text = page.read_text()
    assert 'aria-label="Churn risk told, and the share that did not order"' in text
    assert "jane" not in text


def test_duplicates_are_suggested_decided_and_written(shop: Path, capsys: pytest.CaptureFixture[str]) -> None:
    output, page = shop / "aliases.ndjson", shop / "pairs.html"
    arguments = ["--input", f"duckdb:{shop}/shop.duckdb", "--write", str(output), "--page", str(page)]
    assert duplicates.main(arguments) == 0
    rows = ledger_rows(shop)[2]
    assert [(row[0], row[1], row[4]) for row in rows] == [("user:jane", "user:jm", "suggested")]
    assert "moreau" not in str(rows[0][3]).lower()
    first = output.read_bytes()
    assert [orjson.loads(line)["previousId"] for line in first.splitlines()] == ["jm"]
    assert "jane.moreau@gmail.com" in page.read_text()
    assert duplicates.main(arguments) == 0
    assert (output.read_bytes(), ledger_rows(shop)[2]) == (first, rows)
    assert duplicates.main([*arguments, "--reject", "user:jm", "user:jane"]) == 0
    assert output.read_bytes() == b""
    assert duplicates.main(arguments) == 0
    assert [row[4] for row in ledger_rows(shop)[2]] == ["rejected"]
    decisions = shop / "decisions.csv"
    decisions.write_text("left_id,right_id,decision\nuser:jane,user:jm,approve\n")
    assert duplicates.main([*arguments, "--decisions", str(decisions)]) == 0
    assert output.read_bytes() == first
    capsys.readouterr()
    assert duplicates.main([*arguments, "--approve", "user:jane", "user:nobody"]) == 2
    assert "there is no such pair" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--horizon", "90 dyas"], "--horizon '90 dyas': expected a duration"),
        (["--as_of", "yesterday"], "--as_of 'yesterday'"),
        (["--events", "nowhere"], "an .ndjson file"),
        (["--horizn", "1 day"], "did you mean '--horizon'?"),
    ],
)
def test_wrong_arguments_are_told(arguments: list[str], told: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert predict.main(["--input", "duckdb:nowhere.duckdb", *arguments]) == 2
    assert told in capsys.readouterr().err


def test_tables_that_are_not_there_are_told(capsys: pytest.CaptureFixture[str]) -> None:
    for command in (predict, duplicates):
        assert command.main(["--input", "duckdb:nowhere.duckdb"]) == 1
        assert "there is no such file" in capsys.readouterr().err
