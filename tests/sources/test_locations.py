import gzip
import os
from pathlib import Path

import pytest

from pipelines.io.files.listing import has_known_extension, list_files
from pipelines.io.files.ranges import plan_ranges
from pipelines.io.locations import (
    BigQueryInput,
    DuckDBInput,
    FileInput,
    KafkaInput,
    PubSubInput,
    WatchInput,
    find_files,
    parse_input,
    parse_inputs,
)
from pipelines.io.rabbitmq.address import RabbitMQInput
from schemas.errors import InputError


@pytest.mark.parametrize(
    ("text", "location"),
    [
        ("data/*.ndjson", FileInput("data/*.ndjson", "data/*.ndjson")),
        ("data/events-*.avro.gz", FileInput("data/events-*.avro.gz", "data/events-*.avro.gz")),
        ("watch:in/*.jsonl", WatchInput("watch:in/*.jsonl", "in/*.jsonl")),
        ("pubsub:projects/p/subscriptions/s", PubSubInput("pubsub:projects/p/subscriptions/s", "p", "s")),
        ("kafka:h:9092/t", KafkaInput("kafka:h:9092/t", "h:9092", "t")),
        ("kafka:a:1,b:2/t.x?until=now", KafkaInput("kafka:a:1,b:2/t.x?until=now", "a:1,b:2", "t.x", None, True)),
        ("kafka:[::1]:9/t?group=g", KafkaInput("kafka:[::1]:9/t?group=g", "[::1]:9", "t", "g")),
        ("kafka:h:1/t?from=first", KafkaInput("kafka:h:1/t?from=first", "h:1", "t", None, False, True)),
        ("bigquery:p.d.events", BigQueryInput("bigquery:p.d.events", "p", "d")),
        ("duckdb:out/shop.duckdb", DuckDBInput("duckdb:out/shop.duckdb", "out/shop.duckdb")),
    ],
)
def test_every_kind_of_location(text: str, location: object) -> None:
    assert parse_input(text) == location


def test_a_period_of_a_bigquery_table_is_half_open_in_microseconds() -> None:
    location = parse_input("bigquery:p.d.events?from=1970-01-01&to=1970-01-02T00:00:00.000001+00:00")
    assert isinstance(location, BigQueryInput)
    assert (location.start_us, location.stop_us) == (0, 86_400_000_001)
    assert location.table == "p.d.events"


@pytest.mark.parametrize(
    ("text", "bounded"),
    [
        ("x.ndjson", True),
        ("watch:x.ndjson", False),
        ("pubsub:projects/p/subscriptions/s", False),
        ("kafka:h:1/t", False),
        ("kafka:h:1/t?until=now", True),
        ("bigquery:p.d.events", True),
        ("duckdb:x", True),
    ],
)
def test_which_inputs_end(text: str, bounded: bool) -> None:
    assert parse_input(text).bounded is bounded


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("kafak:h:9092/t", ["kafak", "Did you mean 'kafka'?"]),
        ("events.csv", ["'.csv'", ".ndjson"]),
        ("events.parqet", ["'.parqet'", "Did you mean '.parquet'?"]),
        ("kafka:h/t", ["'h' is no broker", "kafka:HOST:PORT"]),
        ("kafka:h:9092", ["'' is no topic name"]),
        ("kafka:h:9092/t?gruop=x", ["'gruop'", "Did you mean 'group'?"]),
        ("kafka:h:9092/t?until=later", ["until=later", "until=now"]),
        ("kafka:h:9092/t?from=5", ["from=5", "from=first"]),
        ("kafka:h:9092/t?group=", ["'group' is empty"]),
        ("pubsub:projects/p/subscription/s", ["pubsub:projects/PROJECT/subscriptions/SUBSCRIPTION"]),
        ("bigquery:p.d.event", ["'event'", "Did you mean 'events'?"]),
        ("bigquery:p.d", ["bigquery:PROJECT.DATASET.events"]),
        ("bigquery:p.d.events?from=tomorrow", ["from=tomorrow", "ISO 8601"]),
        ("bigquery:p.d.events?from=2026-02-01&to=2026-01-01", ["from before to"]),
        ("duckdb:", ["duckdb:PATH"]),
        ("watch:", ["no file pattern"]),
        ("watch:x.txt", ["'.txt'"]),
        ("nofs://bucket/x.ndjson", ["nofs://"]),
        ("", ["no file pattern"]),
    ],
)
def test_what_is_wrong_is_quoted_with_what_was_expected(text: str, parts: list[str]) -> None:
    with pytest.raises(InputError) as caught:
        parse_input(text)
    for part in [text, *parts]:
        assert part in str(caught.value)


def test_all_wrong_inputs_are_named_at_once(tmp_path: Path) -> None:
    with pytest.raises(InputError) as caught:
        parse_inputs([f"{tmp_path}/*.ndjson", "kafka:x", "duckdb:nowhere.duckdb"])
    lines = str(caught.value).splitlines()
    assert [line.split(": ")[0] for line in lines] == [
        f"--input {tmp_path}/*.ndjson",
        "--input kafka:x",
        "--input duckdb:nowhere.duckdb",
    ]
    assert "matches no file" in lines[0]


def test_no_input_at_all_is_an_error() -> None:
    with pytest.raises(InputError, match="at least one"):
        parse_inputs([])


def test_a_folder_means_every_readable_file_in_it(tmp_path: Path) -> None:
    (tmp_path / "day=1").mkdir()
    names = ["b.ndjson", "a.jsonl.gz", "day=1/c.parquet", "d.avro", ".hidden.ndjson", "_SUCCESS", "notes.txt"]
    for name in names:
        (tmp_path / name).write_bytes(b"x")
    found = find_files(FileInput(str(tmp_path), str(tmp_path)))
    assert [Path(file.path).relative_to(tmp_path).as_posix() for file in found] == [
        "a.jsonl.gz",
        "b.ndjson",
        "d.avro",
        "day=1/c.parquet",
    ]


def test_a_folder_without_readable_files_is_refused(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("x")
    with pytest.raises(InputError, match="known extension"):
        find_files(FileInput(str(tmp_path), str(tmp_path)))


def test_a_pattern_that_matches_a_file_of_unknown_kind_is_refused(tmp_path: Path) -> None:
    (tmp_path / "events.csv").write_text("x")
    with pytest.raises(InputError, match=r"events\.csv.*has no known extension"):
        find_files(FileInput("x", f"{tmp_path}/*"))


def test_what_is_known_of_a_file(tmp_path: Path) -> None:
    path = tmp_path / "e.json.gz"
    path.write_bytes(gzip.compress(b"{}\n"))
    (file,) = find_files(FileInput("x", str(path)))
    assert (file.size_bytes, file.gzipped, file.splits) == (path.stat().st_size, True, False)
    assert abs(file.updated_us - path.stat().st_mtime_ns // 1000) < 2


def test_formats_by_name() -> None:
    assert has_known_extension("a.b.PARQUET")
    assert not has_known_extension("x.gz")
    assert not has_known_extension("ndjson")


def test_what_other_programs_leave_beside_data_is_passed_over(tmp_path: Path) -> None:
    names = [
        "part-0.ndjson", "dt=1/part-1.ndjson", "_delta_log/0.json", "_temporary/0/part.ndjson", ".hidden/x.ndjson",
        "_SUCCESS", ".part-0.ndjson.crc", "part-0.ndjson.crc", "__MACOSX/part-0.ndjson",
    ]  # fmt: skip
    for name in names:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"{}\n")
    for pattern in (str(tmp_path), f"{tmp_path}/", f"{tmp_path}/**.ndjson"):
        found = [file.path.removeprefix(f"{tmp_path}/") for file in list_files(pattern)]
        assert found == ["dt=1/part-1.ndjson", "part-0.ndjson"]
    assert len(list_files(f"{tmp_path}/_temporary/0/*.ndjson")) == 1
    assert len(list_files(f"{tmp_path}/.hidden")) == 1


def test_an_existing_file_is_taken_literally(tmp_path: Path) -> None:
    for name in ("events[1].ndjson", "events1.ndjson", "what?.ndjson"):
        (tmp_path / name).write_bytes(b"{}\n")
    for name in ("events[1].ndjson", "what?.ndjson"):
        (file,) = find_files(FileInput("x", f"{tmp_path}/{name}"))
        assert file.path == f"{tmp_path}/{name}"


@pytest.mark.parametrize(
    "data", [b"{}", b" [\n", b"\xef\xbb\xbf{}", gzip.compress(b"{}", mtime=0), b"Obj\x01", b"PAR1", b""]
)
def test_a_file_of_any_name_is_known_by_its_content(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "1774605239123.a1b2.us-west-2.9ca8d8c4"
    path.write_bytes(data)
    assert len(parse_inputs([str(path)])) == 1
    assert len(parse_inputs([f"{tmp_path}/*"])) == 1


def test_archives_are_found_in_a_folder(tmp_path: Path) -> None:
    (tmp_path / "1774605239123.9ca8d8c4.gz").write_bytes(gzip.compress(b"{}"))
    (file,) = list_files(str(tmp_path))
    assert file.gzipped


@pytest.mark.parametrize("pattern", ["events.ndjson", "*.ndjson"])
def test_a_pipe_is_refused(tmp_path: Path, pattern: str) -> None:
    os.mkfifo(tmp_path / "events.ndjson")
    with pytest.raises(InputError, match="a pipe or a device"):
        parse_inputs([f"{tmp_path}/{pattern}"])


def test_inputs_are_listed_once(tmp_path: Path) -> None:
    (tmp_path / "a.ndjson").write_bytes(b"{}\n")
    (location,) = parse_inputs([f"{tmp_path}/*.ndjson"])
    (tmp_path / "b.ndjson").write_bytes(b"{}\n")
    assert isinstance(location, FileInput)
    assert [file.path for file in location.files] == [f"{tmp_path}/a.ndjson"]
    assert [piece.path for piece in plan_ranges([location])] == [f"{tmp_path}/a.ndjson"]


def test_a_queue_of_rabbitmq_shows_no_password() -> None:
    location = parse_input("amqp://me:hush@broker.test:5673/shop?queue=clicks")
    assert isinstance(location, RabbitMQInput)
    assert location.text == "amqp://broker.test:5673/shop?queue=clicks"
    assert location.address.queue == "clicks"
    assert "hush" in location.address.url
    assert "hush" not in repr(location)
    assert not location.bounded
    default = parse_input("amqp://localhost")
    assert isinstance(default, RabbitMQInput)
    assert default.address.url == "amqp://localhost/%2F"
    assert default.address.queue == "events"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("amqp://", "there is no host"),
        ("amqp://me:hush@localhost:high/", "the port is no number"),
        ("amqp://me:hush@localhost/?que=x", "unknown option 'que'"),
        ("amqp://localhost/?queue=amq.gen", "'amq.gen' is no name of a queue"),
        ("ampq://me:hush@localhost/", "Did you mean 'amqp'?"),
        ("kinesis:mars/events", "'mars' is no region"),
        ("kinesis:eu-central-1/", "'' is no stream's name"),
        ("kinesis:eu-central-1/events?endpoint=x", "'x' is no URL"),
        ("kinesis:eu-central-1/events?endpont=x", "Did you mean 'endpoint'?"),
        ("kinesi:eu-central-1/events", "Did you mean 'kinesis'?"),
    ],
)
def test_what_is_no_queue_or_stream_is_refused_without_a_password(text: str, told: str) -> None:
    with pytest.raises(InputError) as refused:
        parse_input(text)
    assert told in str(refused.value)
    assert "hush" not in str(refused.value)
