"""The whole answer about one segment, from the survey of all profiles. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from transforms.explain import advice
from transforms.explain.mentioned import mentioned
from transforms.explain.question import Question, Rule
from transforms.explain.statistics import Day, Overlap, Stays, days_of_rows, members, overlap, stays
from transforms.explain.story import Explainer, Standing
from transforms.explain.timeline import Timeline
from transforms.profiles.rows import Row
from transforms.segments.language import ast
from transforms.segments.language.cost import RuleCost, describe_cost

if TYPE_CHECKING:
    from transforms.explain.survey import Example, Survey  # with numpy: who prints a preview needs none


@dataclass(frozen=True, slots=True)
class Shown:
    """A profile of a sample: how it stands to the segment and, in a difference, to the other version."""

    profile_id: str
    standing: Standing
    against: Standing | None


@dataclass(frozen=True, slots=True)
class Activation:
    """What activation would send: members that have agreed to every purpose that the segment names."""

    purposes: tuple[str, ...]
    profile_ids: tuple[str, ...]
    withheld: int


@dataclass(frozen=True, slots=True)
class Difference:
    """Members in this version and not in the other (`added`), and the other way round; with a sample of each."""

    version: str
    members: int
    added: tuple[str, ...]
    removed: tuple[str, ...]
    added_sample: tuple[Shown, ...]
    removed_sample: tuple[Shown, ...]
    rows: Sequence[Row]


@dataclass(frozen=True, slots=True)
class Preview:
    """Everything that a preview says. Instants in microseconds; `rows` are those of the table `memberships`.

    Of a segment of accounts `profiles` are accounts.
    """

    rule: Rule
    as_of: int
    profiles: int
    members: tuple[str, ...]
    rows: Sequence[Row]
    days: tuple[Day, ...]
    timeline: Timeline
    stays: Stays
    overlaps: tuple[Overlap, ...]
    sample: tuple[Shown, ...]
    cost: RuleCost
    costs_of_others: tuple[tuple[str, RuleCost], ...]
    timers: int
    activation: Activation
    difference: Difference | None
    warnings: tuple[str, ...]


def make_preview(
    question: Question, found: Survey, folder: int, explain: Callable[[Rule], Explainer] = Explainer
) -> Preview:
    """Puts the answer together.

    Args:
        question: what was asked.
        found: of all profiles, or accounts.
        folder: how many segments stand in the segment's folder.
        explain: makes what explains how a profile, or account, stands to a rule.
    """
    rule, as_of = question.rule, question.as_of
    segment = rule.segment
    current = members(found.rows)
    beside = (other for other in rule.definitions.segments if other.of == segment.of)
    others = sorted(other.name for other in beside if other.name != segment.name)
    overlaps = [overlap(name, len(current), found.others[name], found.shared[name]) for name in others]
    overlaps.sort(key=lambda other: (-other.both, other.segment))
    needed = rule.needed
    referred: list[ast.SegmentDefinition | ast.TraitDefinition] = [*needed.segments, *needed.traits]
    referred.remove(segment)
    by_day, line = days_of_rows(found.rows, as_of)
    return Preview(
        rule,
        as_of,
        found.profiles,
        tuple(current),
        found.rows,
        tuple(by_day),
        line,
        stays(found.rows, as_of),
        tuple(overlaps),
        tuple(_shown(question, found.members.examples, explain)),
        describe_cost(segment),
        tuple((definition.name, describe_cost(definition)) for definition in referred),
        found.timers,
        Activation(segment.consent, tuple(found.consented), len(current) - len(found.consented)),
        _difference(question, found, explain),
        tuple(_warnings(question, found, overlaps, folder)),
    )


def _shown(question: Question, examples: Sequence[Example], explain: Callable[[Rule], Explainer]) -> Iterator[Shown]:
    here = explain(question.rule)
    there = None if question.against is None else explain(question.against)
    for _, profile_id, events in examples:
        yield Shown(
            profile_id,
            here.standing(profile_id, events, question.as_of),
            None if there is None else there.standing(profile_id, events, question.as_of),
        )


def _difference(question: Question, found: Survey, explain: Callable[[Rule], Explainer]) -> Difference | None:
    if question.against is None:
        return None
    here, there = set(members(found.rows)), set(members(found.against_rows))
    return Difference(
        question.against.segment.version,
        len(there),
        tuple(sorted(here - there)),
        tuple(sorted(there - here)),
        tuple(_shown(question, found.added.examples, explain)),
        tuple(_shown(question, found.removed.examples, explain)),
        found.against_rows,
    )


def _warnings(question: Question, found: Survey, overlaps: Sequence[Overlap], folder: int) -> Iterator[str]:
    segment = question.rule.segment
    name = segment.name
    current = len(members(found.rows))
    yield from advice.about_number(folder)
    yield from advice.about_expiry(name, segment.expires, question.as_of)
    yield from advice.about_size(name, len(found.rows), current, found.profiles)
    yield from advice.about_overlaps(name, overlaps)
    read = mentioned(question.rule.needed)
    yield from advice.about_absent(name, read, Counter(found.event_names), found.occurring)
