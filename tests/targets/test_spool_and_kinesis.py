"""Targets that need no server: files that appear when they are complete; what Kinesis takes only in part."""

from pathlib import Path
from typing import Any

import pytest

from pipelines.io.kinesis.address import make_address
from pipelines.io.targets import kinesis as kinesis_module
from pipelines.io.targets.kinesis import KinesisTarget
from pipelines.io.targets.location import parse_target, shown_target
from pipelines.io.targets.spool import SpoolTarget
from pipelines.io.targets.target import OutgoingEvent, TargetError


def events(count: int, size: int = 2) -> list[OutgoingEvent]:
    return [OutgoingEvent(b"x" * size, f"u_{number}", f"m{number}") for number in range(count)]


def test_each_send_is_a_file_of_its_own_in_order_of_name(tmp_path: Path) -> None:
    target = parse_target(f"files:{tmp_path}/spool")
    target.check()
    for batch in (events(2), [], events(3)):
        target.send(batch)
    files = sorted((tmp_path / "spool").iterdir())
    assert [file.read_bytes().count(b"\n") for file in files] == [2, 3]
    assert all(file.suffix == ".ndjson" for file in files)


def test_nothing_half_written_is_left_where_the_disk_is_full(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_new: Path, _target: Path) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("pipelines.io.targets.spool.replace_file", full)
    with pytest.raises(TargetError, match="No space left"):
        SpoolTarget(str(tmp_path)).send(events(2))
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(TargetError, match="cannot be written to"):
        SpoolTarget(str(tmp_path / "file" / "spool")).check()


def test_a_target_is_shown_without_a_password() -> None:
    assert shown_target("amqp://me:hush@broker.test/shop?queue=q") == "amqp://broker.test/shop?queue=q"
    assert shown_target("spool:in") == "spool:in"


class MadeUpKinesis:
    """Refuses every third record of each request, until it is told not to."""

    def __init__(self) -> None:
        self.requests: list[list[dict[str, Any]]] = []
        self.kept: list[str] = []
        self.refuses = 3

    def put_records(self, StreamName: str, Records: list[dict[str, Any]]) -> dict[str, Any]:  # noqa: N803 - as AWS
        self.requests.append(Records)
        said = []
        for number, record in enumerate(Records):
            if self.refuses and number % self.refuses == 0:
                said.append({"ErrorCode": "ProvisionedThroughputExceededException"})
            else:
                self.kept.append(record["PartitionKey"])
                said.append({"SequenceNumber": "1"})
        return {"FailedRecordCount": sum("ErrorCode" in one for one in said), "Records": said}


@pytest.fixture
def kinesis(monkeypatch: pytest.MonkeyPatch) -> MadeUpKinesis:
    made = MadeUpKinesis()
    monkeypatch.setattr(kinesis_module, "connect", lambda _address: made)
    return made


def test_what_a_request_takes_only_in_part_is_sent_again_in_part(kinesis: MadeUpKinesis) -> None:
    waits: list[float] = []

    def wait(seconds: float) -> None:
        waits.append(seconds)
        kinesis.refuses = 3 if len(waits) < 2 else 0

    KinesisTarget(make_address("eu-central-1/events", ""), wait).send(events(9))
    assert sorted(kinesis.kept) == sorted(f"u_{number}" for number in range(9))
    assert [len(request) for request in kinesis.requests] == [9, 3, 1]
    assert waits == sorted(waits)


def test_a_stream_that_takes_no_more_is_told(kinesis: MadeUpKinesis) -> None:
    kinesis.refuses = 1
    with pytest.raises(TargetError, match="2 events are not safe"):
        KinesisTarget(make_address("eu-central-1/events", ""), lambda _seconds: None).send(events(2))


def test_requests_are_as_large_as_kinesis_takes_them(kinesis: MadeUpKinesis) -> None:
    kinesis.refuses = 0
    target = KinesisTarget(make_address("eu-central-1/events", ""), lambda _seconds: None)
    target.send(events(1_001))
    assert [len(request) for request in kinesis.requests] == [500, 500, 1]
    kinesis.requests.clear()
    target.send(events(10, size=900_000))
    assert [len(request) for request in kinesis.requests] == [4, 4, 2]
    with pytest.raises(TargetError, match="at most 1 MB"):
        target.send(events(1, size=1_000_001))
