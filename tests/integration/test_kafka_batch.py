"""The bounded job on a Kafka topic that is read up to now: the tables of the same records in a file."""

import gzip
import uuid
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient, NewTopic

from pipelines.profiles import main
from schemas.tables import TABLES
from services.service import Running
from transforms.state.process import PROCESS

EXAMPLE = Path(__file__).parents[2] / "examples" / "events"


@pytest.fixture
def brokers(kafka_broker: Running) -> Iterator[str]:
    yield kafka_broker.endpoints["broker"]
    PROCESS.close()


def tables(path: Path) -> dict[str, list[tuple[object, ...]]]:
    """Every table; of failed events not where they came from."""
    found: dict[str, list[tuple[object, ...]]] = {}
    with duckdb.connect(str(path), read_only=True) as connection:
        for table in TABLES:
            columns = [name for name in table.column_names() if name not in ("source", "attributes")]
            rows = connection.table(table.name).project(", ".join(f'"{name}"' for name in columns))
            found[table.name] = rows.order(", ".join(table.key)).fetchall()
    return found


@pytest.mark.integration
def test_a_topic_read_up_to_now_gives_the_tables_of_the_file(brokers: str, tmp_path: Path) -> None:
    lines = gzip.decompress(next(EXAMPLE.glob("*.ndjson.gz")).read_bytes()).split(b"\n")[:3000]
    (tmp_path / "events.ndjson").write_bytes(b"\n".join(lines))
    topic = f"events-{uuid.uuid4().hex[:8]}"
    admin = AdminClient({"bootstrap.servers": brokers})
    admin.create_topics([NewTopic(topic, 2, 1)])[topic].result(30)
    producer = Producer({"bootstrap.servers": brokers})
    for line in lines:
        if line:
            producer.produce(topic, line)
    assert producer.flush(30) == 0

    def run(location: str, name: str) -> dict[str, list[tuple[object, ...]]]:
        output = tmp_path / name
        assert main(["--input", location, "--segments", "segments", "--output", f"duckdb:{output}"]) == 0
        return tables(output)

    from_file = run(str(tmp_path / "events.ndjson"), "file.duckdb")
    assert from_file["events"]
    assert from_file["failed_events"]
    assert run(f"kafka:{brokers}/{topic}?until=now", "topic.duckdb") == from_file
    assert run(f"kafka:{brokers}/{topic}?until=now", "again.duckdb") == from_file
