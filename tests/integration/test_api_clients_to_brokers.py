"""Clients that nobody changed, by way of the API into a broker, and from there by the job into the tables: once each.

Some of the clients' requests are refused, some answers are lost: they send them again.
"""

import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import segment.analytics

from services.service import Running
from tests.api.served import COLLECT
from tests.integration.stream_jobs import StreamJob, ask, write_segments
from tests.integration.test_api_brokers import made_topic
from tests.integration.test_api_clients import collecting, modules, node

__all__ = ["modules"]

REFUSALS = 4
PYTHON_CALLS = 7


@pytest.fixture(params=["kafka", "rabbitmq"])
def place(request: pytest.FixtureRequest, service: Callable[[str], Running]) -> str:
    """A topic or a queue of the test's own."""
    running = service(request.param)
    if request.param == "kafka":
        broker = running.endpoints["broker"]
        return f"kafka:{broker}/{made_topic(broker)}"
    return f"{running.environment['TIDEMARK_RABBITMQ']}?queue=collect-{uuid.uuid4().hex[:8]}"


def python_sends(url: str) -> list[str]:
    faults: list[Any] = []
    client = segment.analytics.Client(COLLECT, host=url, upload_size=2, on_error=lambda *fault: faults.append(fault))
    for number in range(PYTHON_CALLS - 2):
        client.track(user_id="u", event="Product Viewed", properties={"total": number}, message_id=f"m{number}")
    client.identify(user_id="u", traits={"plan": "gold"}, message_id="m5")
    client.group(user_id="u", group_id="company_1", traits={"size": 3}, message_id="m6")
    client.shutdown()
    assert faults == []
    return [f"m{number}" for number in range(PYTHON_CALLS)]


def test_every_call_is_in_the_tables_once(place: str, modules: Path, prism_binary: Path, tmp_path: Path) -> None:
    segments, output = write_segments(tmp_path / "segments"), tmp_path / "live.duckdb"
    with collecting(tmp_path / "unused", REFUSALS, events=place) as url:
        sent = sorted([*python_sends(url), *node("server_side.mjs", url, COLLECT)])

    def written() -> list[str]:
        return [name for (name,) in ask(output, "SELECT message_id FROM events ORDER BY ALL")]

    with StreamJob([place], segments, output, prism_binary) as job:
        job.wait_until(lambda: set(sent) <= set(written()))
        assert job.stop() == 0
    assert written() == sent
    assert ask(output, "SELECT reason, errors FROM failed_events") == []
    plans = ask(output, "SELECT user_id, traits->>'plan' FROM profiles WHERE traits->>'plan' IS NOT NULL ORDER BY ALL")
    assert plans == [("node-1", "gold"), ("rudder-1", "silver"), ("u", "gold")]
    members = ask(output, "SELECT profile_id FROM memberships WHERE segment = 'shoppers' AND exited_at IS NULL")
    assert members == [("user:u",)]
