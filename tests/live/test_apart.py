"""The second process of a local stream: it answers, is missed when it is lost, and does not outlive its parent."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
from collections.abc import Iterator
from multiprocessing import Pipe
from pathlib import Path

import psutil
import pytest

from pipelines.apart.process import ProcessApart
from pipelines.apart.worker import Parent, Said, ToParent
from pipelines.stream_runner import is_apart
from pipelines.words.failure import read_cause
from transforms.numbers import NOTHING, Numbers, Spread, sum_numbers

ROOT = Path(__file__).parent.parent.parent
WAIT_SECONDS = 60
PARENT = """
import os
from pipelines.apart.process import ProcessApart
process = ProcessApart()
process.numbers()
print(process.pid, flush=True)
os.kill(os.getpid(), 9)
"""


@pytest.fixture
def process() -> Iterator[ProcessApart]:
    started = ProcessApart()
    yield started
    started.close()


def test_it_says_what_it_has_counted(process: ProcessApart) -> None:
    assert process.numbers() == NOTHING
    process.check()


def test_one_that_is_lost_ends_the_job_with_a_reason(process: ProcessApart) -> None:
    psutil.Process(process.pid).kill()
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)  # it is dead, and its status is still to be asked for
    with pytest.raises(RuntimeError) as lost:
        process.check()
    assert read_cause(lost.value)[0] == "a worker process ended before its work was done; was there too little memory?"
    assert process.numbers() == NOTHING, "it is not waited for"


def test_sigterm_is_the_parents_business(process: ProcessApart) -> None:
    process.numbers()  # it has begun
    psutil.Process(process.pid).terminate()
    assert process.numbers() == NOTHING
    process.check()


def test_it_ends_when_its_parent_is_killed() -> None:
    parent = subprocess.run([sys.executable, "-c", PARENT], cwd=ROOT, stdout=subprocess.PIPE, text=True, check=False)
    assert parent.returncode == -9
    try:
        child = psutil.Process(int(parent.stdout))
    except psutil.NoSuchProcess:
        return
    child.wait(WAIT_SECONDS)


def test_what_our_code_warns_of_there_is_logged_here() -> None:
    ours, theirs = Pipe()
    logger = logging.getLogger("pipelines.somewhere.else")
    handler = ToParent(Parent(theirs))
    logger.addHandler(handler)
    logger.propagate = False
    try:
        logger.info("no news")
        logger.warning("the rules stay as they are: %s", "a reason")
    finally:
        logger.removeHandler(handler)
        logger.propagate = True
    assert ours.recv() == Said("pipelines.somewhere.else", logging.WARNING, "the rules stay as they are: a reason")
    assert not ours.poll()
    ours.close()
    theirs.close()


def test_what_both_have_counted_is_added_up() -> None:
    first = Numbers({"a": 1, "b": 2}, {"x": Spread(1, 10, 10)})
    second = Numbers({"b": 3}, {"x": Spread(2, 3, 2), "y": Spread(1, 1, 1)})
    assert sum_numbers([first, NOTHING, second]) == Numbers(
        {"a": 1, "b": 5}, {"x": Spread(3, 13, 10), "y": Spread(1, 1, 1)}
    )


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ([], True),
        (["--runner=PrismRunner"], True),
        (["--runner=PrismRunner", "--environment_type=EXTERNAL"], False),
        (["--runner=DirectRunner"], False),
        (["--runner=FlinkRunner"], False),
        (["--runner=DataflowRunner"], False),
    ],
)
def test_only_prism_with_its_worker_here_gets_a_second(
    arguments: list[str], expected: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipelines.stream_runner._CORES", 2)
    assert is_apart(arguments) is expected
    monkeypatch.setattr("pipelines.stream_runner._CORES", 1)
    assert not is_apart(arguments)
