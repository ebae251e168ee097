"""The command itself: real files, real HTTP to made-up vendors, its exit status, what it prints, and how it follows."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import duckdb
import pytest

from examples.shop_activated import serve
from pipelines.activate import main
from pipelines.activation.follow import follow
from pipelines.activation.planning import Request
from pipelines.activation.run import Place, Result
from pipelines.io.job_record import note_end, note_start, read_job
from pipelines.io.ledger import ledger_of
from pipelines.io.outputs import DuckDBOutput
from pipelines.io.tables.query import add_ledger, open_tables
from pipelines.reporting.activations import read_activations
from schemas.tables import TABLES
from services.vendors.mailchimp import Mailchimp
from tests.activation.world import Someone, World, mailchimp
from transforms.segments.language.definitions import load_definitions

ADA, BOB = "ada@shop.test", "bob@shop.test"


@pytest.fixture
def shop(tmp_path: Path, world: World) -> Path:
    """Tables in a file, a folder of segments and one of destinations."""
    world.people = {"user:ada": Someone(ADA, ("news",)), "user:bob": Someone(BOB, ("news",), traits={})}
    save(world, tmp_path / "shop.duckdb")
    (tmp_path / "segments").mkdir()
    rule = "when: event('Product Viewed').count() >= 1\nconsent: [marketing]\n"
    (tmp_path / "segments" / "news.yaml").write_text(rule)
    (tmp_path / "destinations").mkdir()
    (tmp_path / "destinations" / "letters.yaml").write_text(
        "kind: mailchimp\nsettings: {server: $URL, list: abc123, api_key: key}\nsegments: [news]\n"
    )
    return tmp_path


def save(world: World, path: Path) -> None:
    """The world's tables as a file, put in place at once."""
    new = path.with_name("new.duckdb")
    connection = world.write()
    connection.execute(f"ATTACH '{new}' AS saved")
    for table in TABLES:
        connection.execute(f'CREATE TABLE saved."{table.name}" AS SELECT * FROM memory.main."{table.name}"')  # noqa: S608
    connection.execute("DETACH saved")
    new.replace(path)


def arguments(shop: Path, *more: str) -> list[str]:
    return ["--input", f"duckdb:{shop / 'shop.duckdb'}", "--destinations", str(shop / "destinations"), *more]


@contextmanager
def vendor(monkeypatch: pytest.MonkeyPatch) -> Iterator[Mailchimp]:
    made = Mailchimp()
    with serve(made) as url:
        monkeypatch.setenv("URL", url)
        yield made


def test_a_run_and_another(shop: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    with vendor(monkeypatch) as letters:
        assert main(arguments(shop, "--dry_run")) == 0
        told = capsys.readouterr().out
        assert "letters (mailchimp): would send 1 to put in or update" in told
        assert ADA not in told
        assert letters.asked == []
        assert not list(shop.glob("*.ledger.duckdb"))
        assert main(arguments(shop)) == 0
        assert letters.tagged("news") == {ADA}  # Bob has not agreed
        told = capsys.readouterr().out
        assert "Every destination is as wanted" in told
        assert ADA not in told
        asked = len(letters.asked)
        assert main(arguments(shop)) == 0
        assert len(letters.asked) == asked
        assert letters.violations == []
    output = DuckDBOutput(str(shop / "shop.duckdb"))
    with duckdb.connect(str(shop / "shop.duckdb.ledger.duckdb"), read_only=True) as ledger:
        query = "SELECT * EXCLUDE (changed_at, identifier_hash, fields_hash) FROM activations"
        [row] = ledger.execute(query).fetchall()
        assert row == ("letters", "user:ada", "news", True, "acknowledged", 1, None)
    with open_tables(output) as tables:
        add_ledger(tables, ledger_of(output))
        [part] = read_activations(tables)
    assert (part.destination, part.segment, part.wanted, part.acknowledged) == ("letters", "news", 1, 1)


def test_something_that_is_pending_is_status_1(shop: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with vendor(monkeypatch) as letters:
        monkeypatch.setattr(letters, "refuse", lambda asked: letters.error(401, "API Key Invalid"))
        assert main(arguments(shop)) == 1
        monkeypatch.undo()
    with vendor(monkeypatch) as letters:
        assert main(arguments(shop)) == 0
        assert letters.tagged("news") == {ADA}


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (("--only", "lettres"), "did you mean 'letters'?"),
        (("--max_leaving", "much"), "expected a share"),
        (("--at", "yesterday"), "ISO 8601"),
        (("--follow", "-1"), "seconds above 0"),
        (("--ledger", "files:x"), "expected duckdb:PATH"),
    ],
)
def test_wrong_arguments_are_status_2(
    more: tuple[str, ...], said: str, shop: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("URL", "http://127.0.0.1:9")
    assert main(arguments(shop, *more)) == 2
    assert said in capsys.readouterr().err
    assert not list(shop.glob("*.ledger.duckdb"))


def test_tables_that_a_job_is_at_work_on_are_refused(
    shop: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    output = DuckDBOutput(str(shop / "shop.duckdb"))
    segments = load_definitions(shop / "segments").definitions.segments
    note_end(output, segments)
    note_start(output)
    with vendor(monkeypatch) as letters:
        assert main(arguments(shop)) == 1
        assert "has not ended" in capsys.readouterr().err
        assert letters.asked == []
        note_end(output, None)
        assert main(arguments(shop)) == 0
    record = read_job(output)
    assert record is not None
    assert record.consent == {"news": ("marketing",)}


def test_changes_are_followed(shop: Path, world: World) -> None:
    letters = Mailchimp()
    output = DuckDBOutput(str(shop / "shop.duckdb"))
    stop, heard = threading.Event(), threading.Condition()
    told: list[Result] = []

    def tell(result: Result) -> None:
        with heard:
            told.append(result)
            heard.notify_all()

    def wait_for(number: int) -> None:
        with heard:
            assert heard.wait_for(lambda: len(told) >= number, timeout=60)

    with serve(letters) as url:
        one = mailchimp()
        destination = replace(one, settings={**one.settings, "server": url})
        request = Request(consent={"news": ("marketing",)})
        place = Place(output, ledger_of(output))
        thread = threading.Thread(target=follow, args=([destination], place, request, 0.05, stop, lambda: "", tell))
        thread.start()
        wait_for(1)
        assert letters.tagged("news") == {ADA}
        world.people["user:bob"].traits = {"consent": {"marketing": True}}
        world.people["user:ada"].segments = ()
        save(world, shop / "shop.duckdb")
        wait_for(2)
        stop.set()
        thread.join()
    assert letters.tagged("news") == {BOB}
