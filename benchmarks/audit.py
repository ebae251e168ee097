"""How many known faults an audit finds on their first day, and how many of its alarms are about one.

    .venv/bin/python -m benchmarks.audit --shops 3

Each shop (benchmarks/faulty_shops.py) is audited without a fault and with each of them. Beside it: "mean and three
sigma" of the 28 days before, over the same counts and shares; and an isolation forest of scikit-learn over each
source's day.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path
from statistics import mean, pstdev
from typing import NamedTuple

import duckdb

from benchmarks.faulty_shops import DAYS, FAULT_DAY, FAULTS, FIRST_DAY, LIBRARIES, Known, shop, with_fault, write_shop
from pipelines.io.outputs import DuckDBOutput
from pipelines.io.tables.query import open_tables
from pipelines.trust.run_audit import run_audit
from schemas.tracking_plan import load_tracking_plan
from transforms.audit.check import Window
from transforms.audit.checks import CHECKS

LAST_DAY = FIRST_DAY + DAYS - 1
AUDITED = 28
REFERENCE = 28


class Alarm(NamedTuple):
    """One alarm: its day, and what it is about."""

    day: int
    check: str
    subject: str


class Score(NamedTuple):
    """Of all shops: faults, those found on their first day, alarms, those about a fault, alarms in the quiet shop."""

    faults: int
    found: int
    alarms: int
    right: int
    quiet: int


Method = Callable[[duckdb.DuckDBPyConnection], set[Alarm]]


def audit(tables: duckdb.DuckDBPyConnection) -> set[Alarm]:
    """The audit itself."""
    plan = frozenset(load_tracking_plan(None).event_names())
    window = Window(LAST_DAY - AUDITED + 1, LAST_DAY, plan)
    found = run_audit(tables, window, None, lambda *_: None)
    return {Alarm(one.day, one.check, one.subject) for one in found}


def three_sigma(tables: duckdb.DuckDBPyConnection) -> set[Alarm]:
    """Every count and share that is further than three standard deviations from the mean of the 28 days before."""
    audit(tables)  # makes the tables that the checks ask
    alarms = set()
    for check in CHECKS:
        for subject, values in _series(check.name, tables.execute(check.sql).fetchall()).items():
            for day in range(LAST_DAY - AUDITED + 1, LAST_DAY + 1):
                before = [values[d] for d in range(day - REFERENCE, day) if d in values]
                if len(before) < 14 or day not in values:
                    continue
                if abs(values[day] - mean(before)) > 3 * pstdev(before):
                    alarms.add(Alarm(day, check.name, subject))
    return alarms


def _series(name: str, rows: Iterable[tuple[object, ...]]) -> dict[str, dict[int, float]]:
    """By subject and day, of the checks whose rows are counts or shares."""
    found: dict[str, dict[int, float]] = {}
    for row in rows:
        if name in {"volume", "silent_source"}:
            subject, day, value = str(row[0]), row[1], float(row[2])  # type: ignore[arg-type]
        elif name == "event_volume":
            subject, day, value = f"{row[0]}: {row[1]}", row[2], float(row[3])  # type: ignore[arg-type]
        elif len(row) == 5 and name not in {"clock_shift", "silo"}:
            subject, day, value = str(row[1]), row[2], float(row[3] or 0) / float(row[4] or 1)  # type: ignore[arg-type]
        else:
            continue
        found.setdefault(subject, {})[int(day)] = value  # type: ignore[call-overload]
    return found


def isolation_forest(tables: duckdb.DuckDBPyConnection) -> set[Alarm]:
    """The days of a source that a forest, grown on the 28 days before, takes for outliers: it names no property."""
    from sklearn.ensemble import IsolationForest

    audit(tables)
    rows = tables.execute(
        """SELECT source, day, count(*), avg((user_id IS NULL)::INT), avg((properties->>'$.price' IS NULL)::INT),
                  avg((traits->>'$.country' IS NULL)::INT), avg(hour),
                  avg((received_at - timestamp > INTERVAL 1 HOUR)::INT),
                  count(DISTINCT profile_id), avg(copy::INT)
           FROM all_events GROUP BY ALL ORDER BY ALL"""
    ).fetchall()
    by_day = {(row[0], row[1]): [float(value or 0) for value in row[2:]] for row in rows}
    alarms = set()
    for source in LIBRARIES.values():
        for week in range(LAST_DAY - AUDITED + 1, LAST_DAY + 1, 7):
            before = [by_day[source, d] for d in range(week - REFERENCE, week) if (source, d) in by_day]
            forest = IsolationForest(random_state=0).fit(before)
            for day in range(week, min(week + 7, LAST_DAY + 1)):
                if forest.predict([by_day.get((source, day), [0.0] * 8)])[0] < 0:
                    alarms.add(Alarm(day, "outlier", source))
    return alarms


def is_about(alarm: Alarm, fault: Known) -> bool:
    """Whether an alarm is about a fault: its check or a plain outlier, its source, from its day on."""
    source = LIBRARIES[fault.source]
    named = alarm.check in fault.checks and (alarm.subject.startswith(source) or alarm.check == "failed_share")
    return alarm.day >= FAULT_DAY and (named or (alarm.check == "outlier" and alarm.subject == source))


def measure(method: Method, seeds: Iterable[int], folder: Path) -> Score:
    """A method on all shops."""
    faults = found = alarms = right = quiet = 0
    for seed in seeds:
        events = shop(seed)
        for fault in (None, *FAULTS):
            path = folder / "shop.duckdb"
            path.unlink(missing_ok=True)
            write_shop(with_fault(events, fault, seed), path)
            with open_tables(DuckDBOutput(str(path))) as tables:
                told = method(tables)
            alarms += len(told)
            if fault is None:
                quiet += len(told)
                continue
            about = [alarm for alarm in told if is_about(alarm, fault)]
            faults += 1
            found += any(alarm.day == FAULT_DAY for alarm in about)
            right += len(about)
    return Score(faults, found, alarms, right, quiet)


METHODS: dict[str, Method] = {
    "the audit": audit,
    "mean and three sigma": three_sigma,
    "isolation forest (scikit-learn)": isolation_forest,
}


def main() -> None:
    """Prints a row for each method."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.audit", description="Precision and recall of the audit."
    )
    parser.add_argument("--shops", type=int, default=3, metavar="N", help="generated shops (default: %(default)s)")
    shops = parser.parse_args().shops
    print(f"{shops} shops of {DAYS} days, each without a fault and with each of {len(FAULTS)}; {AUDITED} days audited")
    print(f"{'':32} found on the first day   alarms   precision   alarms in a quiet shop")
    with tempfile.TemporaryDirectory() as folder:
        for name, method in METHODS.items():
            score = measure(method, range(1, shops + 1), Path(folder))
            precision = score.right / score.alarms if score.alarms else 1.0
            recall = f"{score.found} of {score.faults} ({score.found / score.faults:.0%})"
            print(
                f"{name:32} {recall:>22} {score.alarms:>8,} {precision:>11.1%} {score.quiet / shops:>24.1f}", flush=True
            )


if __name__ == "__main__":
    main()
