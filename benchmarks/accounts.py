"""What one large account costs: built in batch, and kept up to date by the stream's cell.

`python -m benchmarks.accounts --users 100000 --events 10`. Each line is a process of its own:

Seconds are those of the processor.

- batch: the account from its users' events, as a bucket of the bounded job builds it (reading and moving them not
  counted);
- cell: a worker takes over an account that all users have told of themselves, so it replays everything; then one user
  acts at a time, which moves what time will bring each time.

Two rules: somebody (ANY) has been active within three days and the plan is a trial; all have viewed a product (ALL).
"""

from __future__ import annotations

import argparse
import gc
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import orjson

from benchmarks.batch import machine
from benchmarks.measure import MEGABYTE, measure
from schemas.event import TIMESTAMP, Event
from transforms.accounts.cell import AccountCell
from transforms.accounts.contribution import ACCOUNTS, Change, Contribution
from transforms.accounts.history import build_account
from transforms.profiles.evaluate import Rules
from transforms.profiles.history import BY_TIME
from transforms.profiles.history_cell import REFRESH
from transforms.records import Record, collection_paused
from transforms.segments.language.definitions import load_definitions
from transforms.state.facts import EVENT, Message

GROUP = "g"
RULES = {
    "active_trials": "ANY(activity().within(3 days).count() >= 1) AND trait('plan') = 'trial'",
    "all_have_viewed": "ALL event('Product Viewed').count() >= 1",
}
START_US = 1_780_000_000_000_000
HOUR_US = 3_600_000_000
SINGLE_EVENTS = 200
COLLECT_AFTER = (50_000, 20, 50)
"""As transforms/state/shelf_dofn.py sets it."""


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command. Returns its exit status."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.accounts", description=__doc__, allow_abbrev=False)
    parser.add_argument("--users", type=int, default=100_000, help="users of the account (default: %(default)s)")
    parser.add_argument("--events", type=int, default=10, help="events of each (default: %(default)s)")
    parser.add_argument("--form", choices=("batch", "cell"), help="one line, in this process")
    arguments = parser.parse_args(argv)
    if arguments.form:
        (batch if arguments.form == "batch" else cell)(arguments.users, arguments.events)
        return 0
    print(f"{machine()}; {arguments.users:,} users with {arguments.events} events each")
    for form in ("batch", "cell"):
        same = ["--users", str(arguments.users), "--events", str(arguments.events), "--form", form]
        measured = measure("benchmarks.accounts", same)
        print(f"{form:<8}{measured.output.strip()}; {measured.peak_bytes / MEGABYTE:,.0f} MB at most", flush=True)
    return 0


def batch(users: int, events: int) -> None:
    """Builds the account once."""
    histories = {f"user:{number}": history(number, events) for number in range(users)}
    started = time.process_time()
    with collection_paused():  # as the bounded job does
        built = build_account(GROUP, histories, rules().accounts, last_of(users, events))
    seconds = time.process_time() - started
    assert built is not None
    print(f"{seconds:.1f} s, {len(built.memberships)} memberships")


def cell(users: int, events: int) -> None:
    """Takes a cell over in which everybody is; then tells it of one event at a time."""
    gc.set_threshold(*COLLECT_AFTER)
    known, full = rules(), AccountCell(GROUP)
    contributions = [Contribution(f"user:{number}") for number in range(min(users, SINGLE_EVENTS))]
    for number in range(users):
        contribution = contributions[number] if number < len(contributions) else Contribution(f"user:{number}")
        for message in tell(known, contribution, history(number, events), ()):
            full.facts.take(message.fact, message.sign)
    packed = full.pack()
    del full
    started = time.process_time()
    account = AccountCell.unpack(GROUP, packed)
    account.handle(known, [Message(ACCOUNTS, GROUP, REFRESH)], 1)
    taken_over = time.process_time() - started
    single = []
    for number, contribution in enumerate(contributions):
        event = viewed(number, events, last_of(users, events) + number)
        messages = tell(known, contribution, [*history(number, events), event], [event])
        started = time.process_time()
        account.handle(known, messages, 1)
        single.append(time.process_time() - started)
    milliseconds = 1_000 * sorted(single)[len(single) // 2]
    size = len(packed) / MEGABYTE
    print(f"{taken_over:.1f} s to take it over, then {milliseconds:.1f} ms an event; {size:.0f} MB packed")


def tell(known: Rules, contribution: Contribution, records: Sequence[Record], came: Sequence[Record]) -> list[Message]:
    """What a user tells, the first time or after an event."""
    came = came or records
    now = records[-1][TIMESTAMP]
    change = Change(lambda: records, came, (), now, now, None, EVENT, keeps_past=True)
    return contribution.tell(known.accounts, change)


def history(number: int, events: int) -> list[Record]:
    """A user's events, in order: one that puts the user in, the others over a week."""
    traits = orjson.dumps({"plan": "trial", "name": "Somebody"}) if number == 0 else b"{}"
    joins = Event(f"g{number}", START_US, "group", "", str(number), None, None, GROUP, None, None, traits, None)
    hours = [place * 7 * 24 // events for place in range(1, events)]
    made = [viewed(number, place, START_US + hour * HOUR_US + number) for place, hour in enumerate(hours, start=1)]
    return sorted([tuple(joins), *made], key=BY_TIME)


def viewed(number: int, place: int, at: int) -> Record:
    said = {"product_id": f"p{place}", "name": "Hiking Boot", "price": 89.5, "category": "shoes"}
    properties = bytes(
        memoryview(orjson.dumps(said))
    )  # as it comes from a coder, which allocates no more than it needs
    fields = (f"m{number}-{place}", at, "track", "Product Viewed", str(number), None, None, None, None, properties)
    return tuple(Event(*fields, None, None))


def last_of(users: int, events: int) -> int:
    """The last event of all."""
    return START_US + ((events - 1) * 7 * 24 // events) * HOUR_US + users


def rules() -> Rules:
    """Those that are measured."""
    with TemporaryDirectory() as folder:
        for name, when in RULES.items():
            (Path(folder) / f"{name}.yaml").write_bytes(orjson.dumps({"of": "accounts", "when": when}))
        return Rules(load_definitions(Path(folder)).definitions)


if __name__ == "__main__":
    sys.exit(main())
