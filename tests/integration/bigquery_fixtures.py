"""Fixtures of the BigQuery tests, a plugin that they name."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from pipelines.io.check_outputs import check_output
from pipelines.io.outputs import BigQueryOutput
from services.manager import Manager
from services.registry import SERVICES
from services.service import Running
from tests.integration.bigquery_place import new_output, one_after_the_other
from transforms.state.process import PROCESS


@pytest.fixture
def bigquery(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Iterator[Running]:
    """An emulator of the test's own, which every client of the test then talks to, one request after the other.

    One that is shared does not last: each statement costs it memory for good, the more the more tables it holds, and
    at 2 GB it answers nothing but errors. And it stops for a minute, at least, when two requests come at once.
    """
    manager = Manager(state=tmp_path_factory.mktemp("services"))
    with one_after_the_other(manager.up("bigquery")) as running:
        for name, value in running.environment.items():
            monkeypatch.setenv(name, value)
        yield running
    PROCESS.close()  # the emulator does not end while somebody is connected
    for name in ("bigquery", *SERVICES["bigquery"].needs):
        manager.down(name)


@pytest.fixture
def output(bigquery: Running) -> BigQueryOutput:
    """A dataset with its tables."""
    made = new_output()
    check_output(made)
    return made
