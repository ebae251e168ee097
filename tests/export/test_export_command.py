"""`python -m pipelines.export`: all rows of one person, readable and as JSON, and of nobody else."""

import hashlib
import json
import zipfile
from pathlib import Path
from typing import Any

import duckdb
import pytest

from pipelines import export, profiles
from pipelines.io.ledger import ledger_of, open_ledger
from pipelines.io.outputs import DuckDBOutput
from schemas.ledger import ACTIVATIONS, DUPLICATES, SUPPRESSIONS
from schemas.tables import EVENTS, IDENTITY_LINKS, MEMBERSHIP_CHANGES, MEMBERSHIPS, PROFILES

EVENTS_SENT: list[dict[str, Any]] = [
    {"type": "track", "event": "Product Viewed", "anonymousId": "d1", "properties": {"product_id": "p1"}},
    {"type": "identify", "userId": "ada", "anonymousId": "d1", "traits": {"email": "ada@example.com", "note": "<b>"}},
    {"type": "track", "event": "Product Viewed", "userId": "ada", "properties": {"product_id": "p2"}},
    {"type": "alias", "previousId": "old-ada", "userId": "ada"},
    {"type": "track", "event": "Product Viewed", "userId": "old-ada"},
    {"type": "identify", "userId": "bo", "anonymousId": "shared", "traits": {"email": "bo@example.com"}},
    {"type": "identify", "userId": "ada", "anonymousId": "shared"},
    {"type": "track", "event": 7, "userId": "ada"},
    {"type": "track", "event": 7, "userId": "bo"},
    {"type": "track", "event": 7, "anonymousId": "shared"},
]


@pytest.fixture(scope="module")
def tables(tmp_path_factory: pytest.TempPathFactory) -> DuckDBOutput:
    folder = tmp_path_factory.mktemp("export")
    lines = (
        {"messageId": f"m{number}", "timestamp": f"2026-05-01T10:{number:02}:00Z", **event}
        for number, event in enumerate(EVENTS_SENT)
    )
    (folder / "events.ndjson").write_text("".join(json.dumps(line) + "\n" for line in lines))
    (folder / "segments").mkdir()
    (folder / "segments" / "viewers.yaml").write_text("when: event('Product Viewed').count() >= 1\n")
    output = DuckDBOutput(str(folder / "out.duckdb"))
    given = ["--input", str(folder / "events.ndjson"), "--segments", str(folder / "segments"), "--output", str(output)]
    assert profiles.main(given) == 0
    with open_ledger(ledger_of(output)) as ledger:
        row = (True, "acknowledged", "hash-of-ada", None, 1, None, 0)
        other = (True, "acknowledged", "hash-of-bo", None, 1, None, 0)
        ledger.write(
            {
                ACTIVATIONS: [("news", "user:ada", "viewers", *row), ("news", "user:bo", "viewers", *other)],
                SUPPRESSIONS: [("news", "hash-of-ada", "bounced", 0), ("news", "hash-of-bo", "bounced", 0)],
                DUPLICATES: [("user:ada", "user:bo", 0.9, '{"email":"near"}', "suggested")],
            }
        )
    return output


@pytest.fixture(scope="module")
def exported(tables: DuckDBOutput, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("zip") / "ada.zip"
    assert export.main(["--profile", "user:ada", "--input", str(tables), "--output", str(path)]) == 0
    return path


def rows(path: Path, table: str) -> list[dict[str, Any]]:
    with zipfile.ZipFile(path) as made:
        return [json.loads(line) for line in made.read(f"{table}.ndjson").splitlines()]


def test_every_row_of_the_person_is_there(exported: Path, tables: DuckDBOutput) -> None:
    mine = "('user:ada', 'user:old-ada', 'anon:d1')"
    with duckdb.connect(tables.path, read_only=True) as connection:
        for table in (PROFILES, EVENTS, MEMBERSHIPS, MEMBERSHIP_CHANGES):
            query = f"SELECT count(*) FROM {table.name} WHERE profile_id IN {mine}"  # noqa: S608
            assert len(rows(exported, table.name)) == connection.execute(query).fetchall()[0][0] > 0
    assert {row["message_id"] for row in rows(exported, EVENTS.name)} == {"m0", "m1", "m2", "m3", "m4", "m6"}
    assert {row["user_id"] for row in rows(exported, IDENTITY_LINKS.name)} == {"ada"}
    assert [row["message_id"] for row in rows(exported, "failed_events")] == ["m7"]
    assert [row["profile_id"] for row in rows(exported, "activations")] == ["user:ada"]
    assert [row["identifier_hash"] for row in rows(exported, "suppressions")] == ["hash-of-ada"]
    assert len(rows(exported, "duplicates")) == 1


def test_nothing_of_anybody_else_is_there(exported: Path) -> None:
    with zipfile.ZipFile(exported) as made:
        whole = b"".join(made.read(name) for name in made.namelist())
    for other in (b"bo@example.com", b"user:bo", b'"bo"', b"hash-of-bo"):
        assert other not in whole


def test_the_page_is_text_and_the_manifest_fits(exported: Path) -> None:
    with zipfile.ZipFile(exported) as made:
        page, manifest = made.read("index.html").decode(), json.loads(made.read("manifest.json"))
        for name, said in manifest["files"].items():
            assert hashlib.sha256(made.read(name)).hexdigest() == said["sha256"]
        assert {*manifest["files"], "manifest.json"} == set(made.namelist())
    assert "ada@example.com" in page
    assert "<b>" not in page
    assert manifest["profile_id"] == "user:ada"


def test_it_is_the_same_again_also_by_an_id_that_was_merged(
    exported: Path, tables: DuckDBOutput, tmp_path: Path
) -> None:
    for number, profile in enumerate(["user:ada", "user:old-ada", "anon:d1"]):
        path = tmp_path / f"{number}.zip"
        assert export.main(["--profile", profile, "--input", str(tables), "--output", str(path)]) == 0
        assert path.read_bytes() == exported.read_bytes()


def test_only_its_owner_can_read_it(exported: Path) -> None:
    assert exported.stat().st_mode & 0o077 == 0


@pytest.mark.parametrize(
    ("changed", "text"),
    [
        ({"--profile": "user:nobody"}, "no profile of that id"),
        ({"--output": "ada.txt"}, "ends in .zip"),
        ({"--input": "ada"}, "duckdb:PATH"),
    ],
)
def test_wrong_arguments(
    changed: dict[str, str], text: str, tables: DuckDBOutput, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    given = {"--profile": "user:ada", "--input": str(tables), "--output": str(tmp_path / "x.zip")} | changed
    assert export.main([part for pair in given.items() for part in pair]) == 2
    said = capsys.readouterr().err
    assert text in said
    assert "nobody" not in said
