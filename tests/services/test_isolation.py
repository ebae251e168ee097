"""Signals reach what runs in an isolated network, and nothing is left of it when its wrapper is killed."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from services.forwarding import run_in_place

JOB = """
import os, signal, sys, time
from pathlib import Path
folder = Path(sys.argv[1])
def stop(number, frame):
    (folder / "stopped").write_text(signal.Signals(number).name)
    sys.exit(7)
signal.signal(signal.SIGTERM, stop)
signal.signal(signal.SIGINT, stop)
(folder / "pid.new").write_text(str(os.getpid()))
(folder / "pid.new").rename(folder / "started")
while True:
    time.sleep(1)
"""
LONGEST_SECONDS = 60


def wait_for(path: Path, wrapper: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + LONGEST_SECONDS
    while not path.exists():
        assert wrapper.poll() is None, "it ended before"
        assert time.monotonic() < deadline
        time.sleep(0.05)


@pytest.fixture
def wrapper(tmp_path: Path) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "services", "isolated", "--", sys.executable, "-c", JOB, str(tmp_path)]
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL)
    wait_for(tmp_path / "started", process)
    return process


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_signals_reach_the_job(number: signal.Signals, wrapper: subprocess.Popen[bytes], tmp_path: Path) -> None:
    wrapper.send_signal(number)
    assert wrapper.wait(LONGEST_SECONDS) == 7
    assert (tmp_path / "stopped").read_text() == number.name


def test_killing_the_wrapper_ends_the_job(wrapper: subprocess.Popen[bytes]) -> None:
    below = psutil.Process(wrapper.pid).children(recursive=True)
    assert any("started" in " ".join(process.cmdline()) for process in below), "the job is among them"
    wrapper.kill()
    wrapper.wait()
    _, alive = psutil.wait_procs(below, LONGEST_SECONDS)
    assert alive == []


def test_the_status_is_that_of_the_command() -> None:
    assert run_in_place([sys.executable, "-c", "raise SystemExit(3)"]) == 3
    assert run_in_place([sys.executable, "-c", "import os; os.kill(os.getpid(), 9)"]) == -9
