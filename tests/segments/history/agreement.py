"""What the columns say of several profiles, beside what `replay` says of each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from schemas.event import Event
from transforms.segments.compiler import compile_program
from transforms.segments.history import (
    CAUSES,
    NO_INSTANT,
    Evaluated,
    Histories,
    compile_history,
    evaluate,
    histories_of,
)
from transforms.segments.language import ast
from transforms.segments.replay import MembershipInterval, ReplayResult, replay

Profiles = Mapping[str, Sequence[Event]]


def by_replay(profiles: Profiles, definitions: ast.Definitions, as_of: int) -> dict[str, ReplayResult]:
    """Of the profiles that there are at `as_of`."""
    program = compile_program(definitions)
    return {
        profile_id: replay(program, profile_id, profiles[profile_id], as_of)
        for profile_id in sorted(profiles)
        if profiles[profile_id][0].timestamp <= as_of
    }


def by_columns(profiles: Profiles, definitions: ast.Definitions, as_of: int) -> dict[str, ReplayResult]:
    """The same, through the columnar evaluator."""
    histories = histories_of(profiles, as_of)
    program = compile_history(definitions)
    return results_of(program.definitions, histories, evaluate(program, histories, as_of))


def results_of(definitions: ast.Definitions, histories: Histories, found: Evaluated) -> dict[str, ReplayResult]:
    """Columns as one result per profile."""
    results: dict[str, ReplayResult] = {}
    for code, profile_id in enumerate(histories.profile_ids):
        computed = {name: values[code] for name, values in found.computed.items()}
        results[profile_id] = ReplayResult([], computed, found.traits[code], found.writes[code])
    ids = histories.message_id.to_pylist()
    for row, code in enumerate(found.profile.tolist()):
        stay = _stay(definitions, found, row, ids)
        results[histories.profile_ids[code]].memberships.append(stay)
    return results


def _stay(definitions: ast.Definitions, found: Evaluated, row: int, ids: Sequence[str]) -> MembershipInterval:
    exited, expires, cause = found.exited_at[row], found.expires_at[row], found.exit_cause[row]
    return MembershipInterval(
        definitions.segments[found.segment[row]].name,
        int(found.entered_at[row]),
        None if exited == NO_INSTANT else int(exited),
        None if expires == NO_INSTANT else int(expires),
        tuple(ids[place] for place in found.enter_rows.of(row)),
        tuple(ids[place] for place in found.exit_rows.of(row)),
        CAUSES[found.enter_cause[row]],
        None if cause == -1 else CAUSES[cause],
    )


def differences(one: Mapping[str, ReplayResult], other: Mapping[str, ReplayResult]) -> list[str]:
    """In words, where two outcomes differ."""
    found = [] if list(one) == list(other) else [f"profiles {list(one)} and {list(other)}"]
    for profile_id in one.keys() & other.keys():
        for name in ("memberships", "computed", "traits", "writes"):
            left, right = getattr(one[profile_id], name), getattr(other[profile_id], name)
            if not same(left, right):
                found.append(f"{profile_id} {name}:\n  {_shown(left)}\n  {_shown(right)}")
    return found


def same(one: Any, other: Any) -> bool:
    """Python equality that tells True from 1, and dicts in another order apart."""
    if isinstance(one, dict) and isinstance(other, dict):
        return list(one) == list(other) and all(same(one[name], other[name]) for name in one)
    if isinstance(one, list | tuple) and isinstance(other, list | tuple):
        return len(one) == len(other) and all(same(*pair) for pair in zip(one, other, strict=True))
    return (isinstance(one, bool) is isinstance(other, bool)) and bool(one == other)


def _shown(value: Any) -> str:
    return "\n  ".join(map(str, value)) if isinstance(value, list) else str(value)
