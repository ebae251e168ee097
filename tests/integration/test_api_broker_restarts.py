"""A broker that is stopped, killed and started again under the API, its clients and the job.

Whatever was answered with 200 is in the tables, once; meanwhile clients are told to come again; nobody starts anything
anew but the broker.
"""

import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.integration.api_load import Load, Server, write_keys
from tests.integration.own_broker import OwnBroker
from tests.integration.stream_jobs import StreamJob, ask, messages_written, write_segments
from tests.integration.test_api_brokers import made_topic

PAUSE_SECONDS = 0.1


def kafka_place(address: str) -> str:
    return f"kafka:{address}/{made_topic(address)}"


def rabbitmq_place(address: str) -> str:
    return f"{address}?queue=collect"


PLACES: dict[str, Callable[[str], str]] = {"kafka": kafka_place, "rabbitmq": rabbitmq_place}


@pytest.fixture(params=PLACES)
def broker(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[OwnBroker]:
    made = OwnBroker(request.param, tmp_path / "services")
    yield made
    made.stop()


@pytest.fixture
def place(broker: OwnBroker, request: pytest.FixtureRequest) -> str:
    return PLACES[request.node.callspec.params["broker"]](broker.address)


@pytest.fixture
def server(place: str, tmp_path: Path) -> Iterator[Server]:
    write_keys(tmp_path)
    made = Server(tmp_path, place)
    yield made
    made.close()


def test_what_was_answered_is_in_the_tables_once_whatever_the_broker_went_through(
    broker: OwnBroker, place: str, server: Server, prism_binary: Path, tmp_path: Path
) -> None:
    segments, output = write_segments(tmp_path / "segments"), tmp_path / "live.duckdb"
    server.start()
    with StreamJob([place], segments, output, prism_binary) as job:
        with Load(server, PAUSE_SECONDS) as load:
            job.wait_until(lambda: messages_written(output) > 0)
            for by in (signal.SIGTERM, signal.SIGKILL):
                broker.stop(by)
                load.wait_for_refusals(load.refused.total() + 1)
                broker.start()
                load.wait_for(len(load.answered) + 200)
            load.stop()
        assert server.stop() == 0

        def written() -> list[str]:
            return [name for (name,) in ask(output, "SELECT message_id FROM events")]

        job.wait_until(lambda: load.answered <= set(written()))
        assert job.stop() == 0
    assert set(load.refused) == {503}
    assert load.without_hint == 0
    found = written()
    assert len(found) == len(set(found))
    assert load.answered <= set(found) <= {name for names in load.sent for name in names}
    assert ask(output, "SELECT reason, errors FROM failed_events") == []
