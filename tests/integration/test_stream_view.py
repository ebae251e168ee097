"""The live view in a terminal: it shows segments, ends by Ctrl-C, and goes on from there."""

import os
import pty
import re
import select
import subprocess
import sys
from pathlib import Path
from types import TracebackType
from typing import Self

import pytest

from tests.integration.stream_jobs import ROOT, ask

WAIT_SECONDS = 90
_CONTROL = re.compile(r"\x1b\[[?0-9;]*[A-Za-z]")


class Terminal:
    """`python -m examples.shop_live` in a terminal of its own."""

    def __init__(self, folder: Path) -> None:
        self._master, slave = pty.openpty()
        self._shown = ""
        self._process = subprocess.Popen(
            [sys.executable, "-m", "examples.shop_live", "--folder", str(folder), "--rate", "40"],
            cwd=ROOT,
            stdin=slave,
            stdout=slave,
            stderr=slave,
            env={**os.environ, "COLUMNS": "100", "LINES": "40", "TERM": "xterm"},
            # setsid --ctty would need a tool; a new session takes the terminal that it opens first.
            preexec_fn=lambda: _take_terminal(slave),  # noqa: PLW1509 - there are no threads yet
        )
        os.close(slave)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: type[BaseException] | TracebackType | BaseException | None) -> None:
        if self._process.poll() is None:
            self._process.terminate()
            self._process.wait()
        os.close(self._master)

    def wait_for(self, pattern: str) -> re.Match[str]:
        """Reads what is shown until it matches."""
        while (found := re.search(pattern, self._shown)) is None:
            ready, _, _ = select.select([self._master], [], [], WAIT_SECONDS)
            assert ready, f"nothing more came after:\n{self._shown[-3000:]}"
            self._shown += _CONTROL.sub("", os.read(self._master, 65536).decode(errors="replace"))
            assert len(self._shown) < 5_000_000, f"{pattern!r} never came:\n{self._shown[-3000:]}"
        self._shown = self._shown[found.end() :]
        return found

    def press_control_c(self) -> None:
        os.write(self._master, b"\x03")

    def status(self) -> int:
        return self._process.wait(WAIT_SECONDS)


def _take_terminal(slave: int) -> None:
    import fcntl
    import termios

    os.setsid()
    fcntl.ioctl(slave, termios.TIOCSCTTY, 0)


def test_segments_grow_control_c_ends_it_and_it_goes_on(prism_binary: Path, tmp_path: Path) -> None:
    assert prism_binary.exists()
    folder = tmp_path / "shop"
    with Terminal(folder) as terminal:
        terminal.wait_for(r"Starting the job")
        terminal.wait_for(r"viewed_not_purchased +[1-9]\d* ")
        terminal.wait_for(r"\+ (user|anon):\S+ +viewed_not_purchased +Product Viewed")
        terminal.press_control_c()
        first = terminal.wait_for(r"Stopped\. ([\d,]+) events")
        assert terminal.status() == 0
    ids = {row for (row,) in ask(folder / "shop.duckdb", "SELECT message_id FROM events")}
    assert len(ids) == int(first[1].replace(",", ""))
    with Terminal(folder) as terminal:
        terminal.wait_for(r"  ([\d,]+) events  [1-9]\d*/s")
        terminal.press_control_c()
        terminal.wait_for(r"Stopped\.")
        assert terminal.status() == 0
    (counts,) = ask(folder / "shop.duckdb", "SELECT count(*), count(DISTINCT message_id) FROM events")
    assert counts[0] == counts[1] > len(ids)
    assert ids <= {row for (row,) in ask(folder / "shop.duckdb", "SELECT message_id FROM events")}


@pytest.mark.parametrize("wrong", [["--rate", "many"], ["--nothing"]])
def test_wrong_arguments(wrong: list[str]) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "examples.shop_live", *wrong], cwd=ROOT, capture_output=True, check=False
    )
    assert done.returncode == 2
