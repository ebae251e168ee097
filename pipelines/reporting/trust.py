"""The report's part about trust: what other commands have put into the ledger. Numbers only, as in the whole page."""

from __future__ import annotations

import html
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from pipelines.io.ledger import ledger_of, open_ledger
from pipelines.io.outputs import DuckDBOutput, Output
from pipelines.reporting.charts import calibration_chart
from schemas.ledger import AUDITS, DUPLICATES, PREDICTION_TRIALS, PREDICTIONS
from transforms.audit.checks import BOT
from transforms.explain.words import instant_words

_MOST_ALARMS = 15
_SEVERITIES = ("critical", "warning", "info")
_AT_RISK = 0.7


@dataclass(frozen=True, slots=True)
class Trust:
    """What the ledger says. `predictions`: (as_of, customers, at risk, expected orders) of the newest ones."""

    alarms: tuple[tuple[str, str, str, str], ...]
    pairs: dict[str, int]
    predictions: tuple[int, int, int, float] | None
    trial: dict[str, Any] | None


def read_trust(output: Output) -> Trust | None:
    """The ledger of an output; None: there is none, or nothing in it.

    Raises:
        LedgerError: it cannot be read.
    """
    place = ledger_of(output)
    if isinstance(place, DuckDBOutput) and not Path(place.path).is_file():
        return None
    with open_ledger(place) as ledger:
        audits, pairs = ledger.read(AUDITS), ledger.read(DUPLICATES)
        predictions, trials = ledger.read(PREDICTIONS), ledger.read(PREDICTION_TRIALS)
    if not (audits or pairs or predictions):
        return None
    newest = max((row[1] for row in predictions), default=None)
    told = [row for row in predictions if row[1] == newest]
    measured = max(trials, default=None)
    return Trust(
        tuple((row[4], row[1], row[2], _subject(row[2], row[3])) for row in _newest(audits)),
        dict(Counter(row[4] for row in pairs)),
        None if newest is None else (newest, len(told), sum((row[6] or 0.0) > _AT_RISK for row in told), _total(told)),
        None if measured is None else orjson.loads(measured[3]),
    )


def _total(told: Sequence[tuple[Any, ...]]) -> float:
    """Expected orders of all."""
    return sum(row[3] or 0.0 for row in told)


def _newest(audits: Sequence[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    """Alarms of the last four weeks that were audited, the newest and gravest first."""
    ordered = sorted(audits, key=lambda row: (row[1], -_SEVERITIES.index(row[4])), reverse=True)
    return ordered[:_MOST_ALARMS]


def _subject(check: str, subject: str) -> str:
    """The page holds no ids: of a visitor only whose it is."""
    return subject.partition(": ")[0] if check == BOT.name else subject


def trust_section(trust: Trust) -> str:
    """The section, as HTML."""
    return f'<div class="grid two">{"".join(_cards(trust))}</div>'


def _cards(trust: Trust) -> Iterator[str]:
    rows = "".join(f"<tr>{''.join(f'<td>{html.escape(cell)}</td>' for cell in alarm)}</tr>" for alarm in trust.alarms)
    head = "<tr><th>severity</th><th>day</th><th>check</th><th>subject</th></tr>"
    table = f'<div class="scroll"><table><thead>{head}</thead><tbody>{rows}</tbody></table></div>'
    yield f'<div class="card"><h3>Audit</h3>{table if rows else "<p>No alarms.</p>"}</div>'
    if trust.pairs:
        states = ", ".join(f"{count:,} {state}" for state, count in sorted(trust.pairs.items()))
        yield f'<div class="card"><h3>Profiles that are probably one person</h3><p>Pairs: {states}.</p></div>'
    if trust.predictions is not None:
        as_of, customers, risky, orders = trust.predictions
        text = (
            f"{customers:,} customers as of {instant_words(as_of)[:16]}: {orders:,.0f} orders expected, {risky:,} at a "
            f"churn risk above {_AT_RISK}."
        )
        yield f'<div class="card"><h3>Predictions</h3><p>{text}</p>{_calibration(trust.trial)}</div>'


def _calibration(trial: dict[str, Any] | None) -> str:
    if trial is None:
        return "<p>No period could be held out yet.</p>"
    points = [(group["told"], group["happened"]) for group in trial["deciles"]]
    chart = calibration_chart(points, "Churn risk told, and the share that did not order")
    text = (
        f"On the last held-out period: Brier {trial['brier']:.4f}, the naive guess {trial['brier_naive']:.4f}; orders "
        f"{trial['model']['total']:,.0f} guessed, {trial['actual']:,.0f} made. Each point a tenth of the customers."
    )
    return f"{chart}<p>{text}</p>"
