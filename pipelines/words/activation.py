"""What a person reads of an activation: who is where, what is still to come, and who was left out and why."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from pipelines.activation.planning import Work
from pipelines.activation.run import Result
from pipelines.words.layout import table, wrapped
from transforms.activation.rows import ACKNOWLEDGED, PENDING, REFUSED, SUPPRESSED, Change
from transforms.activation.wanted import NO_CONSENT, NO_IDENTIFIER

_SAMPLES = 3
_SHOWN_HASH = 12
_MOST_REASONS = 5


def result_lines(results: Sequence[Result], seconds: float) -> Iterator[str]:
    """The summary of a run."""
    for result in results:
        yield from _result(result)
        yield ""
    open_ = [result.destination.name for result in results if not result.is_as_wanted]
    if open_:
        yield f"Not yet as wanted: {', '.join(open_)}. The next run goes on where this one ended."
    else:
        yield f"Every destination is as wanted ({seconds:,.1f} seconds)."


def _result(result: Result) -> Iterator[str]:
    name, kind = result.destination.name, result.destination.kind
    sent = result.sent.changes
    said = ", ".join(
        f"{sent[key]:,} {words}"
        for key, words in (("add", "put in or updated"), ("remove", "taken out"), ("erase", "erased"))
        if sent[key]
    )
    yield f"{name} ({kind}): {said or 'nothing to send'}"
    if result.work is not None:
        yield from _segment_table(result, result.work)
    if result.trouble:
        yield from wrapped(f"Stopped: {result.trouble}", 2, 2)
    for title, reasons in (("Pending", result.waits), ("Refused", result.refusals)):
        for reason, number in reasons.most_common(_MOST_REASONS):
            yield from wrapped(f"{title}: {number:,}, {reason}", 2, 2)


def _segment_table(result: Result, work: Work) -> list[str]:
    headings = ("segment", "wanted", "acknowledged", "pending", "refused", "suppressed", "no consent", "no address")
    rows: list[tuple[str | int, ...]] = []
    for segment in work.destination.segments:
        states = [result.states[segment, state] for state in (ACKNOWLEDGED, PENDING, REFUSED, SUPPRESSED)]
        left_out = [work.obstacles[segment, reason] for reason in (NO_CONSENT, NO_IDENTIFIER)]
        rows.append((segment, work.wanted[segment], *states, *left_out))
    return table(headings, rows)


def dry_run_lines(works: Sequence[Work]) -> Iterator[str]:
    """What would be sent. Samples are hashes: nobody is named."""
    for work in works:
        plan = work.plan
        yield f"{work.destination.name} ({work.destination.kind}): would send {_count(work)}"
        headings = ("segment", "wanted", "enter", "leave", "suppressed", "no consent", "no address", "samples")
        rows = [_dry_row(work, segment) for segment in _segments(work)]
        yield from table(headings, rows)
        if work.blocked:
            yield from wrapped(f"Would stop: {work.blocked}", 2, 2)
        if plan.erasures:
            yield f"  To be erased: {len(plan.erasures):,}"
        yield ""


def _count(work: Work) -> str:
    plan = work.plan
    parts = [
        f"{len(changes):,} {words}"
        for changes, words in (
            (plan.additions, "to put in or update"),
            (plan.removals, "to take out"),
            (plan.erasures, "to erase"),
        )
        if changes
    ]
    return ", ".join(parts) or "nothing"


def _segments(work: Work) -> list[str]:
    gone = {segment for change in work.plan.removals for segment in change.segments}
    return [*work.destination.segments, *sorted(gone - set(work.destination.segments))]


def _dry_row(work: Work, segment: str) -> tuple[str | int, ...]:
    enter = [change for change in work.plan.additions if segment in change.segments]
    leave = [change for change in work.plan.removals if segment in change.segments]
    others = {NO_CONSENT, NO_IDENTIFIER}
    said_no = sum(n for (name, reason), n in work.obstacles.items() if name == segment and reason not in others)
    left_out = [work.obstacles[segment, reason] for reason in (NO_CONSENT, NO_IDENTIFIER)]
    samples = " ".join(_hash(change) for change in [*enter, *leave][:_SAMPLES])
    return (segment, work.wanted[segment], len(enter), len(leave), said_no, *left_out, samples)


def _hash(change: Change) -> str:
    return change.identifier_hash[:_SHOWN_HASH]
