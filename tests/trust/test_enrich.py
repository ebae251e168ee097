"""Third-party attributes: joined, only with consent, the same events again, none where nothing changed."""

import shutil
from pathlib import Path

import orjson
import pytest

from pipelines import enrich, profiles
from pipelines.io.read_rows import read_rows
from pipelines.trust.enrich_options import parse_options

AT = "2026-06-30T12:00:00Z"


def identify(user: str, **traits: object) -> bytes:
    return orjson.dumps(
        {"type": "identify", "messageId": f"i-{user}-{len(traits)}", "userId": user, "traits": traits, "timestamp": AT}
    )


PEOPLE = [
    identify("ann", email="Ann@Acme.example", consent={"enrichment": True}, plan="pro"),
    identify("bob", email="bob@acme.example", consent={"enrichment": False}, plan="pro"),
    identify("cem", email="cem@gmail.com", consent={"enrichment": True}, plan="free"),
]


def run_job(folder: Path, *inputs: Path) -> str:
    segments = folder / "segments"
    segments.mkdir(exist_ok=True)
    (segments / "software.yaml").write_text("when: trait('enriched.industry') = 'Software'\n")
    given = [word for place in inputs for word in ("--input", str(place))]
    tables = f"duckdb:{folder}/shop.duckdb"
    assert profiles.main([*given, "--segments", str(segments), "--output", tables]) == 0
    return tables


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a job that ran on these people."""
    folder = tmp_path_factory.mktemp("shop")
    (folder / "people.ndjson").write_bytes(b"\n".join(PEOPLE) + b"\n")
    run_job(folder, folder / "people.ndjson")
    return folder


@pytest.fixture
def tables(shop: Path, tmp_path: Path) -> str:
    """A copy of its tables, and of the people, in the test's own folder."""
    shutil.copytree(shop, tmp_path, dirs_exist_ok=True)
    return f"duckdb:{tmp_path}/shop.duckdb"


def companies(folder: Path) -> Path:
    table = folder / "companies.csv"
    table.write_text(
        "domain,industry,employees,code,date\nacme.example,Software,12,007,2026-05-01\ngmail.com,Mail,9,1,\n"
    )
    return table


def made(tables: str, folder: Path, *further: str) -> list[dict[str, object]]:
    output = folder / "enriched.ndjson"
    table = str(companies(folder))
    arguments = ["--input", tables, "--table", table, "--consent", "enrichment", "--events", str(output), *further]
    assert enrich.main(arguments) == 0
    return [orjson.loads(line) for line in output.read_bytes().splitlines()]


def test_only_who_agreed_is_enriched_with_source_and_date(tables: str, tmp_path: Path) -> None:
    events = made(tables, tmp_path, "--by", "domain")
    assert [event["userId"] for event in events] == ["ann"]
    traits = events[0]["traits"]
    assert isinstance(traits, dict)
    assert traits["enriched.industry"] == "Software"
    assert traits["enriched.industry.source"] == "companies"
    assert traits["enriched.industry.date"] == "2026-05-01"
    assert (traits["enriched.employees"], traits["enriched.code"]) == (12, "007")


def test_a_second_run_gives_the_same_events_and_rules_can_use_them(tables: str, tmp_path: Path) -> None:
    events = made(tables, tmp_path, "--by", "domain")
    assert made(tables, tmp_path, "--by", "domain") == events
    output = tmp_path / "enriched.ndjson"
    again = run_job(tmp_path, tmp_path / "people.ndjson", output)
    columns, rows = read_rows(f"{again}#memberships")
    assert "segment" in columns
    assert [row["profile_id"] for row in rows] == ["user:ann"]
    # What the profile says already is not said again.
    assert made(again, tmp_path, "--by", "domain") == []


def test_a_table_is_joined_by_any_trait(tables: str, tmp_path: Path) -> None:
    table = tmp_path / "plans.ndjson"
    table.write_text('{"name": "PRO", "price": 9.5}\n{"name": "free", "price": 0}\n')
    (tmp_path / "plans.yaml").write_text("by: plan\nkey: name\nconsent: [enrichment]\nsource: price list\n")
    output = tmp_path / "plans-out.ndjson"
    assert enrich.main(["--input", tables, "--table", str(table), "--events", str(output)]) == 0
    events = [orjson.loads(line) for line in output.read_bytes().splitlines()]
    assert [(event["userId"], event["traits"]["enriched.price"]) for event in events] == [("ann", 9.5), ("cem", 0)]
    assert events[0]["traits"]["enriched.price.source"] == "price list"


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--by", "domain"], "--consent: required"),
        (["--consent", "enrichment"], "--by: required"),
        (["--by", "domian", "--consent", "enrichment"], "did you mean 'domain'?"),
        (["--by", "domain", "--consent", "a", "--events", "kafka:nowhere"], "--events kafka:nowhere: expected"),
    ],
)
def test_what_is_wrong_is_told(
    arguments: list[str], told: str, tables: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert enrich.main(["--input", tables, "--table", str(companies(tmp_path)), *arguments]) == 2
    assert told in capsys.readouterr().err


def test_headers_name_variables_whose_values_may_hold_anything(
    tables: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    table = tmp_path / "companies.yaml"
    table.write_text("table: https://api.example/c.csv\nby: domain\nconsent: a\nheaders: {X-Key: key $C_KEY}\n")
    arguments = ["--input", tables, "--table", str(table)]
    assert enrich.main(arguments) == 2
    assert "the environment variable C_KEY is not set" in capsys.readouterr().err
    monkeypatch.setenv("C_KEY", "a$b$c")
    assert parse_options(arguments).headers == {"X-Key": "key a$b$c"}


def test_keys_with_two_answers_are_not_used(tables: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    table = tmp_path / "two.csv"
    table.write_text("email,industry\nann@acme.example,A\nANN@acme.example,B\n")
    assert enrich.main(["--input", tables, "--table", str(table), "--by", "email", "--consent", "enrichment"]) == 0
    assert "1 keys with different answers" in capsys.readouterr().out
