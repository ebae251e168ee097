"""Suggestions as rows of `duplicates`, and what becomes of those that somebody has decided."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal, NamedTuple

import orjson

from transforms.duplicates.comparisons import DIFFERENT, MISSING
from transforms.duplicates.household import another_person
from transforms.duplicates.person import Person

SUGGESTED: Final = "suggested"
APPROVED: Final = "approved"
REJECTED: Final = "rejected"

State = Literal["suggested", "approved", "rejected"]
Key = tuple[str, str]


class Pair(NamedTuple):
    """Two profiles, the id that comes first on the left. `levels`: the outcome of each comparison, by its name."""

    left_id: str
    right_id: str
    probability: float
    levels: dict[str, str]


class Suggestion(NamedTuple):
    """One row of `duplicates`."""

    left_id: str
    right_id: str
    probability: float
    evidence: str
    state: State

    def fields(self) -> dict[str, str]:
        """What the evidence says of each field that both have."""
        found: dict[str, str] = orjson.loads(self.evidence)["fields"]
        return found


@dataclass(frozen=True, slots=True)
class Outcome:
    """`rows`: to be in the table, by id. `gone`: keys of rows that are no more. `households`: pairs held back."""

    rows: tuple[Suggestion, ...]
    gone: tuple[Key, ...]
    households: int


def evidence_of(levels: Mapping[str, str]) -> str:
    """What speaks for and against a pair, as JSON without any value of theirs. Equal outcomes give equal text."""
    fields = {name: outcome for name, outcome in sorted(levels.items()) if outcome != MISSING}
    digest = hashlib.sha256(orjson.dumps(fields)).hexdigest()[:16]
    return orjson.dumps(
        {
            "fields": fields,
            "for": [name for name, outcome in fields.items() if outcome != DIFFERENT],
            "against": [name for name, outcome in fields.items() if outcome == DIFFERENT],
            "fingerprint": digest,
        }
    ).decode()


def suggest(
    pairs: Iterable[Pair],
    people: Mapping[str, Person],
    before: Iterable[Suggestion],
    known: Collection[str],
) -> Outcome:
    """What the table holds after a run.

    A pair that was decided stays so; one that was rejected is asked for again only if its evidence is another one. A
    suggestion that no longer stands goes, and so does every row about a profile that is no more.

    Args:
        pairs: of the model, all of them probable enough.
        people: by profile id.
        before: the rows of the table.
        known: the ids of all profiles, those that were merged too.
    """
    earlier = {(row.left_id, row.right_id): row for row in before}
    rows: dict[Key, Suggestion] = {}
    households = 0
    for pair in pairs:
        key = (pair.left_id, pair.right_id)
        if another_person(pair.levels, people[pair.left_id], people[pair.right_id]):
            households += 1
            continue
        made = Suggestion(*key, pair.probability, evidence_of(pair.levels), SUGGESTED)
        rows[key] = _decided(made, earlier.get(key))
    for key, row in earlier.items():
        if row.state != SUGGESTED:
            rows.setdefault(key, row)
    rows = {key: row for key, row in rows.items() if key[0] in known and key[1] in known}
    gone = tuple(sorted(key for key in earlier if key not in rows))
    return Outcome(tuple(rows[key] for key in sorted(rows)), gone, households)


def _decided(made: Suggestion, earlier: Suggestion | None) -> Suggestion:
    if earlier is None or earlier.state == SUGGESTED:
        return made
    same = _fingerprint(earlier) == _fingerprint(made)
    return made._replace(state=earlier.state) if same or earlier.state == APPROVED else made


def _fingerprint(row: Suggestion) -> Any:
    return orjson.loads(row.evidence).get("fingerprint")


def decide(rows: Iterable[Suggestion], decisions: Mapping[Key, State]) -> tuple[Suggestion, ...]:
    """The rows with what somebody decided.

    Raises:
        KeyError: of the pairs that there is no row for.
    """
    found = {(row.left_id, row.right_id): row for row in rows}
    unknown = sorted(set(decisions) - set(found))
    if unknown:
        raise KeyError(*unknown)
    return tuple(row._replace(state=decisions.get(key, row.state)) for key, row in found.items())
