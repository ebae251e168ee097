"""What holds for every test: cases are bounded by their number, what a job notes stays out of the home, and what costs
time and shows nothing is done once."""

import gc
import os
import sys
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings

# No deadline and no health check that measures time: a slow machine proves nothing about the code.
settings.register_profile("tidemark", deadline=None, print_blob=True, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("tidemark")

# Bytecode is kept, also where the surroundings say otherwise (containers do): else each of the workers, and each
# process that a test starts, compiles all of the source anew.
sys.dont_write_bytecode = False
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

# Modules and collected tests stay to the end: a third of the time of collection goes into looking through them in vain.
YOUNG_OBJECTS = 50_000
gc.set_threshold(YOUNG_OBJECTS, 20, 20)


def pytest_collection_finish() -> None:
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True, scope="session")
def _state_of_the_tests_own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Where jobs keep their notes (pipelines/io/job_record.py), also those in processes of their own."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(os.environ, "XDG_STATE_HOME", str(tmp_path_factory.mktemp("state")))
        yield


def pytest_runtest_setup() -> None:
    if "apache_beam.transforms.core" in sys.modules:  # what needs no Beam does not wait for it
        from pipelines.beam_remembers import remember

        remember()
