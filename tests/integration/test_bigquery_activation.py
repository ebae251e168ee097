"""Activation of a dataset: tables and ledger in BigQuery, a made-up Mailchimp without a network."""

from __future__ import annotations

from typing import Any

from pipelines.activation.planning import Request
from pipelines.activation.run import Place, run_all
from pipelines.io.bigquery.stream import BigQueryStream
from pipelines.io.destinations.base import Surroundings
from pipelines.io.job_record import note_end, note_start, read_job
from pipelines.io.ledger import ledger_of, open_ledger
from pipelines.io.outputs import BigQueryOutput
from schemas.ledger import ACTIVATIONS
from schemas.tables import EVENTS, MEMBERSHIPS, PROFILES, Table
from services.vendors.mailchimp import Mailchimp
from tests.activation.world import AS_OF_US, Kill, Stopwatch, mailchimp, transport

pytest_plugins = ("tests.integration.bigquery_fixtures",)

_EMPTY = {"STRING": "", "INTEGER": 0, "FLOAT": 0.0, "BOOLEAN": False, "TIMESTAMP": AS_OF_US, "JSON": "{}"}


def row(table: Table, **values: object) -> dict[str, Any]:
    return {
        column.name: values.get(
            column.name, [] if column.repeated else _EMPTY[column.type] if column.required else None
        )
        for column in table.columns
    }


def person(name: str) -> dict[str, Any]:
    traits = '{"consent":{"marketing":true}}'
    return row(PROFILES, profile_id=f"user:{name}", user_id=name, email=f"{name}@shop.test", traits=traits)


def test_a_dataset_is_activated(output: BigQueryOutput) -> None:
    stream = BigQueryStream(output)  # costs the emulator less memory than loads do
    stream.write("profiles", [person("ada"), person("bob")])
    stays = [row(MEMBERSHIPS, profile_id=f"user:{one}", segment="news") for one in ("ada", "bob")]
    stream.write("memberships", stays)
    stream.write("events", [row(EVENTS, message_id="m", profile_id="user:bob", type="track", event="Unsubscribed")])
    assert stream.flush() == []
    letters = Mailchimp()
    surroundings = Surroundings(Stopwatch().clock(), transport({"mailchimp": letters}, Kill()))
    place = Place(output, ledger_of(output), surroundings)
    for asked in (True, False):
        before = len(letters.asked)
        [result] = run_all([mailchimp()], place, Request(consent={"news": ("marketing",)}))
        assert result.is_as_wanted
        assert (len(letters.asked) > before) is asked
    assert letters.tagged("news") == {"ada@shop.test"}
    with open_ledger(ledger_of(output)) as ledger:
        assert [(one[1], one[4]) for one in ledger.read(ACTIVATIONS)] == [
            ("user:ada", "acknowledged"),
            ("user:bob", "suppressed"),
        ]


def test_a_job_is_noted(output: BigQueryOutput) -> None:
    assert read_job(output) is None
    note_start(output)
    found = read_job(output)
    assert found is not None
    assert "has not ended" in found.obstacle
    note_end(output, None)
    found = read_job(output)
    assert found is not None
    assert not found.obstacle
