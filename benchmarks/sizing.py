"""What a shop of so many events a day needs, by a model with measured parameters: `python -m benchmarks.sizing`.

First a small shop runs through the stages of the stream without a runner (in_memory.py), for some days with a short
allowed lateness: that gives the parameters. Then shops that are larger, and that run longer, are simulated, and what
the model says of them stands beside what they came to. At last the model is asked about shops that do not run here.

docs/sizing.md explains the model, what is assumed, and what it leaves out.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from benchmarks.batch import machine
from benchmarks.growth import BUNDLE, DAY_US, Parse, stream_of
from benchmarks.in_memory import InMemoryStream
from benchmarks.stateful import START_US, view
from transforms.stream.stages import MESSAGES, ORDER

LATENESS_DAYS = 3
VISIT_EVENTS = 8
"""Events of a visitor, who comes once."""
SHOPS = (10_000_000, 100_000_000, 1_000_000_000)
GIGABYTE = 1e9


class Parameters(NamedTuple):
    """What one event costs. Bytes are packed, as a shelf's log has them when it was just rewritten."""

    core_microseconds: float
    id_bytes: float
    kept_bytes: float
    rows: float
    row_bytes: float


class Load(NamedTuple):
    """A shop: events a day, for so many days, remembering message ids for `lateness_days`."""

    events_a_day: int
    days: int
    lateness_days: int


class Need(NamedTuple):
    """What the shop needs, or came to: seconds of a core a day, packed bytes of state, rows a day."""

    core_seconds: float
    state_bytes: float
    rows: float


class Assumed(NamedTuple):
    """What is not measured here. Prices are in US dollars, list prices as we know them: put in your own."""

    peak: float = 4.0
    busy: float = 0.6
    runner: float = 2.5
    log: float = 1.5
    core_hour: float = 0.05
    state_month: float = 0.04
    written_gigabyte: float = 0.025
    stored_month: float = 0.02


def need(cost: Parameters, load: Load) -> Need:
    """The model."""
    ids = load.events_a_day * min(load.days, load.lateness_days) * cost.id_bytes
    kept = load.events_a_day * load.days * cost.kept_bytes
    return Need(load.events_a_day * cost.core_microseconds / 1e6, ids + kept, load.events_a_day * cost.rows)


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command. Returns its exit status."""
    arguments = _arguments(argv)
    smallest = Load(arguments.events, 8, LATENESS_DAYS)
    print(f"{machine()}; the stages of the stream with ten rules, without a runner\n")
    cost = parameters(*simulate(smallest), smallest)
    print("measured, for one event")
    for name, value in cost._asdict().items():
        print(f"  {name:<20}{value:>10,.2f}")
    print(f"\n{'events a day, days':<24}{'':<22}{'model':>14}{'simulation':>14}{'model is':>10}")
    for load in (smallest._replace(events_a_day=2 * arguments.events), smallest._replace(days=16)):
        told, (found, _) = need(cost, load), simulate(load)
        for name, said, came in zip(Need._fields, told, found, strict=True):
            shop = f"{load.events_a_day:,}, {load.days}"
            print(f"{shop:<24}{name:<22}{said:>14,.1f}{came:>14,.1f}{100 * (said / came - 1):>+9.0f}%", flush=True)
    for events_a_day in SHOPS:
        _print_shop(cost, Load(events_a_day, arguments.days, 30), Assumed())
    return 0


def simulate(load: Load) -> tuple[Need, InMemoryStream]:
    """Runs the shop: visitors come once, with some events each, evenly over the days."""
    with tempfile.TemporaryDirectory() as folder:
        parse, stream = stream_of(Path(folder), 10, lateness_days=load.lateness_days)
        seconds = _run(load, parse, stream)
    state = stream.compact_bytes(*ORDER)
    return Need(seconds / load.days, state, stream.count_rows() / load.days), stream


def parameters(found: Need, stream: InMemoryStream, load: Load) -> Parameters:
    """What a run came to, for one event."""
    ids = stream.compact_bytes(MESSAGES)
    events = load.events_a_day * load.days
    return Parameters(
        core_microseconds=found.core_seconds * 1e6 / load.events_a_day,
        id_bytes=ids / (load.events_a_day * min(load.days, load.lateness_days)),
        kept_bytes=(found.state_bytes - ids) / events,
        rows=found.rows / load.events_a_day,
        row_bytes=stream.row_bytes / stream.rows,
    )


def _run(load: Load, parse: Parse, stream: InMemoryStream) -> float:
    """Seconds of a core."""
    step_us = DAY_US // load.events_a_day
    seconds = 0.0
    events = load.events_a_day * load.days
    for start in range(0, events, BUNDLE):
        numbers = range(start, min(start + BUNDLE, events))
        records = [parse(view(number, f"v{number // VISIT_EVENTS}", step_us)) for number in numbers]
        started = time.process_time()
        stream.take(records, records[0][1])
        stream.advance(records[0][1])
        seconds += time.process_time() - started
    started = time.process_time()
    stream.advance(START_US + load.days * DAY_US)
    return seconds + time.process_time() - started


def _print_shop(cost: Parameters, load: Load, assumed: Assumed) -> None:
    wanted = need(cost, load)
    cores = wanted.core_seconds / 86_400 * assumed.runner * assumed.peak / assumed.busy
    state = wanted.state_bytes * assumed.log / GIGABYTE
    written = wanted.rows * cost.row_bytes / GIGABYTE
    month = {
        "workers": cores * 730 * assumed.core_hour,
        "state": state * assumed.state_month,
        "writing": written * 30 * assumed.written_gigabyte,
        "tables": written * load.days * assumed.stored_month,
    }
    print(f"\n{load.events_a_day:,} events a day, after {load.days} days")
    print(f"  {'events a second, at the peak':<40}{load.events_a_day / 86_400 * assumed.peak:>14,.0f}")
    print(f"  {'cores':<40}{cores:>14,.1f}")
    print(f"  {'state, GB':<40}{state:>14,.1f}")
    print(f"  {'rows written a day, millions':<40}{wanted.rows / 1e6:>14,.1f}")
    print(f"  {'written a day, GB':<40}{written:>14,.1f}")
    for name, dollars in month.items():
        print(f"  {f'{name}, dollars a month':<40}{dollars:>14,.0f}")


def _arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.sizing", description=__doc__.splitlines()[0])
    parser.add_argument("--events", type=int, default=2_000, help="a day, of the smallest simulation (%(default)s)")
    parser.add_argument("--days", type=int, default=365, help="that the shops of the model have run (%(default)s)")
    return parser.parse_args(argv)


if __name__ == "__main__":
    sys.exit(main())
