"""Whether both evaluators and the reference say the same of a case, and what they say where they differ."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from tests.reference import memberships as reference
from tests.reference.memberships import MembershipRow
from tests.reference.values import iso, same
from tests.segments.history.agreement import results_of
from tests.strategies import rule_text
from tests.strategies.cases import Case
from transforms.segments.compiler import compile_program
from transforms.segments.history import compile_history, evaluate, histories_of
from transforms.segments.replay import ReplayResult, replay

Outcome = tuple[list[MembershipRow], dict[str, Any]]


def expected(case: Case) -> Outcome:
    """What the reference says."""
    given = (case.profile_id, case.events, case.definitions, case.as_of)
    return reference.memberships(*given), _without_nulls(reference.computed(*given))


def actual(case: Case) -> Outcome:
    """What the stream's engine says."""
    program = compile_program(case.definitions)
    return _outcome_of(replay(program, case.profile_id, case.events, case.as_of))


def on_columns(case: Case) -> Outcome:
    """What the batch's evaluator says."""
    program = compile_history(case.definitions)
    histories = histories_of({case.profile_id: case.events}, case.as_of)
    results = results_of(program.definitions, histories, evaluate(program, histories, case.as_of))
    return _outcome_of(results[case.profile_id])


def _outcome_of(result: ReplayResult) -> Outcome:
    return sorted(map(_row, result.memberships)), _without_nulls(result.computed)


def _row(membership: Any) -> MembershipRow:
    return MembershipRow(
        segment=membership.segment,
        entered_at=membership.entered_at,
        exited_at=membership.exited_at,
        expires_at=membership.expires_at,
        message_ids=tuple(membership.message_ids),
        exit_message_ids=tuple(membership.exit_message_ids),
        enter_cause=membership.enter_cause,
        exit_cause=membership.exit_cause,
    )


def _without_nulls(computed: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in computed.items() if value is not None}


def agree(one: Outcome, other: Outcome) -> bool:
    """Whether two outcomes are equal; computed traits as JSON values."""
    return one[0] == other[0] and same(one[1], other[1])


def differs(case: Case) -> bool:
    """Whether the three differ on a case. What they raise is raised. A profile without an event is no case."""
    if case.events[0].timestamp > case.as_of:
        return False
    reference = expected(case)
    return not (agree(reference, actual(case)) and agree(reference, on_columns(case)))


# --- in words --------------------------------------------------------------------------------------------------------


def describe(case: Case) -> str:
    """The case, and all outcomes, compactly."""
    lines = [rule_text.definitions(case.definitions), f"as_of {when(case.as_of)}, profile {case.profile_id}"]
    for event in case.events:
        parts = [part.decode() for part in (event.properties, event.traits, event.context) if part is not None]
        lines.append(f"  {when(event.timestamp)} {event.message_id} {event.type} {event.name!r} {' '.join(parts)}")
    lines += ["reference:", *_outcome(expected(case))]
    for title, ask in (("engine", actual), ("columns", on_columns)):
        lines += [f"{title}:", *_outcome(_outcome_or_error(ask, case))]
    return "\n".join(lines)


def _outcome_or_error(ask: Callable[[Case], Outcome], case: Case) -> Outcome | str:
    try:
        return ask(case)
    except Exception as error:  # noqa: BLE001 - it is shown, in place of the outcome
        return f"{type(error).__name__}: {error}"


def _outcome(outcome: Outcome | str) -> Iterable[str]:
    if isinstance(outcome, str):
        yield f"  {outcome}"
        return
    for row in outcome[0]:
        end = (
            f"{when(row.exited_at)} ({row.exit_cause})"
            if row.exited_at is not None
            else f"open, until {when(row.expires_at)}"
        )
        ids = f"{','.join(row.message_ids)} / {','.join(row.exit_message_ids)}"
        yield f"  {row.segment} {when(row.entered_at)} ({row.enter_cause}) .. {end} [{ids}]"
    yield f"  computed {outcome[1]}"


def when(instant: int | None) -> str:
    """An instant, as short as the grid allows."""
    return "ever" if instant is None else iso(instant)[5:].replace(":00.000000Z", "")
