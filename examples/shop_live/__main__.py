"""`python -m examples.shop_live`: a live shop, the job that follows it, and a view of its segments in the terminal.

Starts two processes: the feed (examples/generate.py --live) and the job (pipelines.profiles on the feed's folder).
Ctrl-C ends both and the view; starting it again goes on from there.
"""

from __future__ import annotations

import argparse
import shutil
import signal
import sys
import threading
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType

from examples.shop_live.processes import Children, remove_read_files
from examples.shop_live.snapshot import Snapshot, read_snapshot
from examples.shop_live.view import view

RECENT_US = 60 * 1_000_000
_LOOK_SECONDS = 0.25
_TIDY_SECONDS = 30.0
_RATE_SNAPSHOTS = 8
_CHANGES = 40
_ENTER, _LEAVE = "\033[?1049h\033[?25l", "\033[?25h\033[?1049l"  # the terminal's second screen, without a cursor
_HOME, _REST_OF_LINE, _REST_OF_SCREEN = "\033[H", "\033[K", "\033[J"


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs until Ctrl-C: 0. Returns 1 when the job or the feed ends by itself, 2 for wrong arguments."""
    options = _parse(arguments)
    options.folder.mkdir(parents=True, exist_ok=True)
    (options.folder / "events").mkdir(exist_ok=True)
    stopped = threading.Event()
    for each in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(each, _setter(stopped))
    segments = sorted(file.stem for file in Path(options.segments).glob("*.y*ml"))
    screen = Screen(options.folder / "shop.duckdb", segments, sys.stdout.isatty())
    children = Children(options.folder / "log")
    try:
        _start(children, options)
        with screen:
            _watch(screen, children, options, stopped)
    finally:
        children.stop()
    if not stopped.is_set():
        print(f"{children.ended()} ended by itself:\n{children.last_words()}", file=sys.stderr)
        return 1
    screen.read()  # what the job wrote at its end
    print(screen.farewell())
    return 0


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m examples.shop_live",
        description="Follow a live shop: segments grow and shrink in the terminal.",
    )
    parser.add_argument(
        "--folder", type=Path, default=Path("out/live"), metavar="DIR", help="events, tables, logs (%(default)s)"
    )
    parser.add_argument("--rate", type=float, default=50.0, metavar="N", help="events per second (%(default)s)")
    parser.add_argument("--seed", type=int, default=7, metavar="N", help="another seed, another shop (%(default)s)")
    parser.add_argument("--segments", default="segments", metavar="DIR", help="segment files (%(default)s)")
    parser.add_argument("--traits", default="traits", metavar="DIR", help="computed trait files (%(default)s)")
    return parser.parse_args(arguments)


def _setter(stopped: threading.Event) -> signal._HANDLER:
    def stop(_signal: int, _frame: FrameType | None) -> None:
        stopped.set()

    return stop


def _start(children: Children, options: argparse.Namespace) -> None:
    events = options.folder / "events"
    job = ["--input", f"watch:{events}/*.ndjson", "--output", f"duckdb:{options.folder / 'shop.duckdb'}"]
    definitions = ["--segments", options.segments, "--traits", options.traits]
    children.start("job", "pipelines.profiles", [*job, *definitions, "--write_every", "1 second"])
    feed = ["--live", "--output", str(events), "--rate", str(options.rate), "--seed", str(options.seed)]
    children.start("feed", "examples.generate", feed)


def _watch(screen: Screen, children: Children, options: argparse.Namespace, stopped: threading.Event) -> None:
    tidied_at = time.monotonic()
    screen.say(f"Starting the job and a feed of {options.rate:g} events a second ... (Ctrl-C ends it)")
    while not stopped.wait(_LOOK_SECONDS) and children.ended() is None:
        screen.look()
        if time.monotonic() - tidied_at > _TIDY_SECONDS:
            remove_read_files(options.folder / "shop.duckdb.stream" / "files", options.folder / "events")
            tidied_at = time.monotonic()


@dataclass
class Screen:
    """The view of one database. In a terminal it is drawn over and over; anywhere else each change is printed below."""

    path: Path
    segments: Sequence[str]
    is_terminal: bool
    _seen: tuple[int, int] | None = None
    _last: Snapshot | None = None
    _arrived: deque[tuple[float, int]] = field(default_factory=lambda: deque(maxlen=_RATE_SNAPSHOTS))

    def __enter__(self) -> Screen:
        if self.is_terminal:
            sys.stdout.write(_ENTER)
        return self

    def __exit__(self, *_error: object) -> None:
        if self.is_terminal:
            sys.stdout.write(_LEAVE)
            sys.stdout.flush()

    def look(self) -> None:
        """Shows the tables if they were published anew."""
        snapshot = self.read()
        if snapshot is not None:
            self._arrived.append((time.monotonic(), snapshot.events + snapshot.failed))
            self._draw(snapshot)

    def read(self) -> Snapshot | None:
        """The tables if they were published anew since the last reading."""
        if not self.path.exists():
            return None
        status = self.path.stat()
        if (status.st_ino, status.st_mtime_ns) == self._seen:
            return None
        self._seen = (status.st_ino, status.st_mtime_ns)
        self._last = read_snapshot(self.path, time.time_ns() // 1_000, RECENT_US, _CHANGES)
        return self._last

    def say(self, text: str) -> None:
        """Shows a line, until there is something to see."""
        sys.stdout.write(f"{_HOME}{_REST_OF_SCREEN}{text}\r\n" if self.is_terminal else f"{text}\n")
        sys.stdout.flush()

    def farewell(self) -> str:
        """What to say at the end."""
        told = "" if self._last is None else f" {self._last.events:,} events, {self._last.profiles:,} profiles so far."
        return f"Stopped.{told} The tables are in {self.path}. Started again, it goes on from here."

    def per_second(self) -> float:
        """Events that came in, over the last publications."""
        (first_at, first), (last_at, last) = self._arrived[0], self._arrived[-1]
        return (last - first) / (last_at - first_at) if last_at > first_at else 0.0

    def _draw(self, snapshot: Snapshot) -> None:
        size = shutil.get_terminal_size()
        lines = view(snapshot, self.segments, self.per_second(), (size.columns, size.lines), color=self.is_terminal)
        if self.is_terminal:
            drawn = "".join(f"{line}{_REST_OF_LINE}\r\n" for line in lines[: size.lines - 1])
            sys.stdout.write(f"{_HOME}{drawn}{_REST_OF_SCREEN}")
        else:
            sys.stdout.write("\n".join([*lines, "", ""]))
        sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
