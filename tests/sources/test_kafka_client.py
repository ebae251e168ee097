"""What the broker's answers mean, with the broker's part played by hand."""

from concurrent.futures import Future
from typing import Any

import pytest
from confluent_kafka import KafkaError, KafkaException, TopicPartition

from pipelines.io.kafka import client as kafka_client
from pipelines.io.kafka.client import Committer, ReaderClient, ask_until_answered
from pipelines.io.kafka.source import KafkaSource
from pipelines.io.locations import KafkaInput
from pipelines.io.stream.source_options import SourceOptions
from pipelines.io.stream.watermark import StreamWatermark

SECOND = 1_000_000


class Offset:
    def __init__(self, offset: int) -> None:
        self.offset = offset


class ScriptedAdmin:
    """Answers each question for end offsets with the next of the given futures."""

    def __init__(self, *answers: Any) -> None:
        self.answers = list(answers)

    def list_offsets(self, asked: dict[Any, Any], **_: object) -> dict[Any, Any]:
        answer = self.answers.pop(0)
        return dict.fromkeys(asked, answer)


def answered(offset: int) -> "Future[Offset]":
    future: Future[Offset] = Future()
    future.set_result(Offset(offset))
    return future


def failed() -> "Future[Offset]":
    future: Future[Offset] = Future()
    future.set_exception(KafkaException(KafkaError(KafkaError._TRANSPORT, "broker away")))
    return future


class Silence:
    """A partition, `0`, that gives no record, however often it is read; its broker answers by the script."""

    def __init__(self, *answers: Any) -> None:
        self.now_us = 1_000 * SECOND
        options = SourceOptions(out_of_orderness_seconds=10, idle_timeout_seconds=30)
        self.source = KafkaSource(KafkaInput("kafka:b:1/t", "b:1", "t"), options, clock=lambda: self.now_us)
        self.client = ReaderClient.__new__(ReaderClient)
        self.client.topic = "t"
        self.client.positions = {"0": 7}
        self.client.asked_us = 0
        self.client._asked = {}
        self.client._done_at = {}
        self.client.admin = ScriptedAdmin(*answers)  # type: ignore[assignment]
        self.watermark = StreamWatermark(options.watermark_policy)
        self.watermark.track(["0"])

    def look(self, seconds: int = 0) -> int | None:
        self.now_us += seconds * SECOND
        self.source._look_for_idle(self.client, {}, self.watermark)
        return self.watermark.current_us()


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipelines.io.kafka.source.IDLE_CHECK_SECONDS", 0)
    monkeypatch.setattr(kafka_client, "_RETRY_SECONDS", 0)


def test_a_partition_that_the_broker_calls_empty_becomes_idle() -> None:
    silence = Silence(answered(7), answered(7), answered(7))
    assert silence.look() is None
    assert silence.look(30) is None
    assert silence.look() == 1_020 * SECOND, "as of when it was asked"


def test_a_broker_that_is_away_makes_nothing_idle() -> None:
    silence = Silence(answered(7), failed(), failed(), failed(), answered(9), answered(9))
    looks = [silence.look(3_600) for _ in range(6)]
    assert looks == [None] * 6, "and when it is back, there are records to read"


def test_an_answer_that_does_not_come_is_waited_for() -> None:
    late: Future[Offset] = Future()
    silence = Silence(late, answered(7))
    assert [silence.look(3_600) for _ in range(3)] == [None, None, None]
    late.set_result(Offset(7))
    assert silence.look() is None, "one answer is no silence of thirty seconds"


def test_records_that_wait_are_no_silence() -> None:
    silence = Silence(answered(7), answered(8), answered(7), answered(7))
    assert [silence.look(20) for _ in range(4)] == [None, None, None, None]


def test_a_request_is_made_again_while_a_leader_moves() -> None:
    answers = [KafkaError.NOT_LEADER_FOR_PARTITION, KafkaError.COORDINATOR_LOAD_IN_PROGRESS, None]

    def request() -> str:
        code = answers.pop(0)
        if code is not None:
            raise KafkaException(KafkaError(code))
        return "here"

    assert ask_until_answered(request) == "here"


def test_a_request_that_is_refused_is_not_made_again() -> None:
    asked = []

    def request() -> None:
        asked.append(1)
        raise KafkaException(KafkaError(KafkaError.GROUP_AUTHORIZATION_FAILED))

    with pytest.raises(KafkaException):
        ask_until_answered(request)
    assert asked == [1]


def test_offsets_that_no_broker_took_are_committed_with_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[dict[int, int]] = []
    answers = [KafkaError._TRANSPORT, None]

    class Group:
        def commit(self, offsets: list[TopicPartition], asynchronous: bool) -> list[TopicPartition]:
            fault = answers.pop(0)
            if fault is not None:
                raise KafkaException(KafkaError(fault))
            told.append({place.partition: place.offset for place in offsets})
            return offsets

    monkeypatch.setattr(kafka_client, "Consumer", lambda _settings: Group())
    monkeypatch.setattr(kafka_client, "ask_until_answered", lambda request: request())
    committer = Committer("events", {})
    committer.commit({"0": 5, "1": 2})
    committer.commit({"0": 4, "1": 3})
    committer.commit({"0": 5})
    assert told == [{0: 5, 1: 3}]
