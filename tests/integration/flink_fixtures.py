"""The fixture of the Flink cluster's tests, a plugin that they name."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from services.cluster.flink import FlinkCluster
from services.isolation import is_isolated
from services.manager import ROOT, Manager
from tests.integration.flink_cluster import ClusterPlace


@pytest.fixture
def flink_cluster(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[ClusterPlace | None]:
    """Two TaskManagers of two slots, and the servers that the mark `servers` names. Outside the network it is None."""
    names = ["s3", *request.node.get_closest_marker("servers").args]
    if not is_isolated():
        FlinkCluster.build(ROOT)
        for name in names:
            Manager().build(name)
        yield None
        return
    place = ClusterPlace(tmp_path, names)
    yield place
    place.close()
