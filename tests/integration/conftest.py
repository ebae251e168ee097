"""Real servers for integration tests: each fixture starts its service if it is not up, and fails if it does not start.

Prism and Flink's job server listen on every interface. A test that asks for `prism_binary` or `flink_job_server` runs
in a pytest of its own inside a network that has only loopback, with every service it asks for; its outcome counts.
"""

import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from services.isolation import is_isolated
from services.manager import Manager
from services.registry import SERVICES
from services.service import Running
from tests.integration.leftovers import forget_leftovers

ISOLATED_FIXTURES = {"prism_binary", "flink_job_server", "flink_cluster"}
"""Of what listens on every interface, or makes networks."""

HERE = Path(__file__).parent
_SAID_BY_PYTEST = range(1, 6)
"""Exit codes of pytest's own: tests failed, it was interrupted, and such."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.integration)


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    """Runs a test that needs an isolated network in a child pytest inside one."""
    if is_isolated() or not ISOLATED_FIXTURES & set(pyfuncitem.fixturenames):
        return None
    only_this = ["-m", "integration", "-p", "no:cacheprovider", "-q", pyfuncitem.nodeid]
    inside = [sys.executable, "-m", "services", "isolated", "--", sys.executable, "-m", "pytest", *only_this]
    done = subprocess.run(inside, capture_output=True, text=True, check=False, cwd=pyfuncitem.config.rootpath)
    # Threads of a library may crash a process that ends, after pytest has said that the test passed.
    has_passed = "1 passed in" in done.stdout and done.returncode not in _SAID_BY_PYTEST
    if done.returncode != 0 and not has_passed:
        said = f"inside the isolated network, exit {done.returncode}:\n{done.stdout}{done.stderr}"
        pytest.fail(said, pytrace=False)
    return True


def pytest_sessionfinish() -> None:
    forget_leftovers()


@pytest.fixture(scope="session")
def service() -> Iterator[Callable[[str], Running]]:
    """Gives a running service by name: what `make services` started, else one that lives as long as this session."""
    with tempfile.TemporaryDirectory(prefix="tidemark-services-") as folder:
        shared, own = Manager(), Manager(state=Path(folder))

        def bring_up(name: str) -> Running:
            # The shared ones are in another network than an isolated test.
            return (None if is_isolated() else shared.find(name)) or own.up(name)

        yield bring_up
        for name in reversed(SERVICES):
            own.down(name)


@pytest.fixture(scope="session")
def bigquery_emulator(service: Callable[[str], Running]) -> Running:
    """BigQuery: `endpoints["http"]`, `endpoints["grpc"]` as HOST:PORT; the project is `test`."""
    return service("bigquery")


@pytest.fixture(scope="session")
def gcs_emulator(service: Callable[[str], Running]) -> Running:
    """Cloud Storage: `environment["STORAGE_EMULATOR_HOST"]`."""
    return service("gcs")


@pytest.fixture(scope="session")
def s3_server(service: Callable[[str], Running]) -> Running:
    """S3: `environment["AWS_ENDPOINT_URL_S3"]` is its URL; any credentials do."""
    return service("s3")


@pytest.fixture(scope="session")
def pubsub_emulator(service: Callable[[str], Running]) -> Running:
    """Pub/Sub: `environment["PUBSUB_EMULATOR_HOST"]`; what is not acknowledged at `endpoints["counts"]`, over HTTP."""
    return service("pubsub")


@pytest.fixture(scope="session")
def kafka_broker(service: Callable[[str], Running]) -> Running:
    """Kafka: `endpoints["broker"]` as HOST:PORT."""
    return service("kafka")


@pytest.fixture(scope="session")
def prism_binary() -> Path:
    """Prism, for `--runner=PrismRunner --prism_location=...`. The test runs in an isolated network."""
    return Manager().build("prism")


@pytest.fixture(scope="session")
def flink_job_server(request: pytest.FixtureRequest) -> Running | None:
    """Flink: `endpoints["jobs"]` for `--job_endpoint`. The test runs in an isolated network (outside, this is None)."""
    if not is_isolated():
        Manager().build("flink")
        return None
    running: Running = request.getfixturevalue("service")("flink")
    return running


@pytest.fixture(scope="session")
def redis_server(service: Callable[[str], Running]) -> Running:
    """Redis: `environment["TIDEMARK_REDIS"]` is its URL."""
    return service("redis")


@pytest.fixture(scope="session")
def rabbitmq_broker(service: Callable[[str], Running]) -> Running:
    """RabbitMQ: `environment["TIDEMARK_RABBITMQ"]` is its URL, with the default virtual host."""
    return service("rabbitmq")


@pytest.fixture(scope="session")
def kinesis_server(service: Callable[[str], Running]) -> Running:
    """Kinesis: `environment["AWS_ENDPOINT_URL_KINESIS"]` is its URL; any credentials do."""
    return service("kinesis")
