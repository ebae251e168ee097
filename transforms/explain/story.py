"""One profile's story with one segment: its events, every change and what did it, where it stands, what comes next."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from schemas.event import MESSAGE_ID, NAME, TIMESTAMP, TYPE
from schemas.text import plain
from transforms.accounts.ahead import Turn as UserTurn
from transforms.accounts.ahead import crossings
from transforms.explain.ahead import next_changes
from transforms.explain.findings import Finding, FindingGroup, RuleParts, program_of
from transforms.explain.question import Rule
from transforms.explain.reasons import Reason, Reasons
from transforms.explain.words import instant_words, span_words
from transforms.records import Record
from transforms.segments.compiler import compile_program
from transforms.segments.language import ast
from transforms.segments.nodes.state import Change, State
from transforms.segments.replay import MembershipInterval, intervals_of, replay, run

MOST_EXPLAINED = 50
"""Changes of the segment that are explained, the latest ones."""


@dataclass(frozen=True, slots=True)
class Turn:
    """An entry or exit. `events`: those that did it, in order; `parts`: of the segment's own changes, the parts of the
    rule that held (entered) or failed (exited) at that instant, None for other segments' changes.
    """

    at: int
    segment: str
    change: str
    cause: str
    events: tuple[Record, ...]
    parts: tuple[Finding, ...] | None


@dataclass(frozen=True, slots=True)
class Standing:
    """How the profile stands to the segment at `as_of`.

    Attributes:
        member: whether it is in it; `since`: from when.
        findings: every part of the rule; None for a static segment.
        obstacle: what keeps it out although the rule holds, in words; "" if nothing does.
        reason: the events that keep it in.
        next_change, next_at: what time alone will bring: "entered" or "exited" and when; None: nothing.
    """

    member: bool
    since: int | None
    findings: FindingGroup | None
    obstacle: str
    reason: Reason | None
    next_change: str | None
    next_at: int | None


@dataclass(frozen=True, slots=True)
class Story:
    """All of it. `turns` in order of time, of every segment; `segments`: the current ones."""

    profile_id: str
    events: Sequence[Record]
    turns: tuple[Turn, ...]
    segments: tuple[str, ...]
    standing: Standing


def tell(rule: Rule, profile_id: str, events: Sequence[Record], as_of: int) -> Story:
    """The story of a profile up to `as_of`; `events` are all that it has until then, in order."""
    explainer, by_id = Explainer(rule), {event[MESSAGE_ID]: event for event in events}
    intervals = replay(compile_program(rule.definitions), profile_id, events, as_of).memberships
    return Story(
        profile_id,
        events,
        tuple(turns_of(rule.segment.name, explainer, profile_id, events, intervals, by_id)),
        tuple(sorted(interval.segment for interval in intervals if interval.exited_at is None)),
        explainer.standing(profile_id, events, as_of),
    )


class Explainer:
    """Explains how profiles stand to one segment; compiled once."""

    def __init__(self, rule: Rule) -> None:
        needed = rule.needed
        self._segment = rule.segment
        self._program = program_of(needed, rule.segment)
        self._parts = RuleParts(rule.segment, needed) if rule.segment.when is not None else None
        self._reasons = Reasons(rule.segment, needed) if rule.segment.of == "users" else None

    def standing(
        self, profile_id: str, events: Sequence[Record], as_of: int, turns: Sequence[UserTurn] = ()
    ) -> Standing:
        """How the profile stands to the segment at `as_of`.

        `turns`: what time will bring to the users of an account, where it is one.
        """
        segment = self._segment
        state = State(profile_id)
        run(self._program, state, events, as_of)
        own = [interval for interval in intervals_of(state.changes) if interval.segment == segment.name]
        member = bool(own) and own[-1].exited_at is None
        time = crossings(self._program, state, turns)
        coming: Change | None = next_changes(self._program, state, [segment.name], time).get(segment.name)
        findings = None if self._parts is None else self._parts.at(profile_id, events, as_of, turns)
        return Standing(
            member,
            own[-1].entered_at if member else None,
            findings,
            "" if member else _obstacle(segment, profile_id, findings, own, as_of),
            self.reason(profile_id, events, as_of, own[-1]) if member else None,
            None if coming is None else "entered" if coming.entered else "exited",
            None if coming is None else coming.at,
        )

    def reason(self, profile_id: str, events: Sequence[Record], as_of: int, stay: MembershipInterval) -> Reason | None:
        """The events that keep a member in; `stay`: since when it is one."""
        return None if self._reasons is None else self._reasons.why(profile_id, events, as_of)

    def parts_at(self, profile_id: str, events: Sequence[Record], instants: Sequence[int]) -> dict[int, FindingGroup]:
        """What held at each of some instants, in order; nothing for a static segment."""
        if self._parts is None:
            return {}
        return dict(zip(instants, self._parts.at_each(profile_id, events, instants), strict=True))


def _obstacle(
    segment: ast.SegmentDefinition,
    profile_id: str,
    findings: FindingGroup | None,
    own: Sequence[MembershipInterval],
    as_of: int,
) -> str:
    """Why a profile is not a member, apart from the parts of the rule."""
    if segment.expires is not None and as_of >= segment.expires:
        return f"the segment expired at {instant_words(segment.expires)}"
    if segment.members is not None:
        return "it is not in the segment's list of members"
    if not segment.anonymous and not profile_id.startswith("user:"):
        return "the segment takes no anonymous profiles"
    if findings is None or not findings.fulfilled or not own:
        return ""
    left = own[-1].exited_at or as_of
    if segment.reentry_after is not None and as_of < left + segment.reentry_after:
        ends = instant_words(left + segment.reentry_after)
        return f"it left at {instant_words(left)} and cannot enter again before {ends}"
    longest = span_words(segment.max_membership or 0)
    return f"it has been in for {longest}, the longest stay, and enters again once the rule has been false"


def turns_of(
    name: str,
    explainer: Explainer,
    profile_id: str,
    events: Sequence[Record],
    intervals: Sequence[MembershipInterval],
    by_id: Mapping[str, Record],
) -> list[Turn]:
    """Every change of any segment, in order of time; those of the segment `name` with what held then.

    `by_id`: the events that may have done it.
    """
    changes: list[tuple[int, str, str, str, tuple[str, ...]]] = []
    for stay in intervals:
        changes.append((stay.entered_at, stay.segment, "entered", stay.enter_cause, stay.message_ids))
        if stay.exited_at is not None:
            changes.append((stay.exited_at, stay.segment, "exited", stay.exit_cause or "", stay.exit_message_ids))
    changes.sort(key=lambda change: (change[0], change[1], change[2] == "entered"))
    instants = sorted({change[0] for change in changes if change[1] == name})[-MOST_EXPLAINED:]
    found = explainer.parts_at(profile_id, events, instants)
    return [
        Turn(
            at,
            segment,
            change,
            cause,
            tuple(by_id[message_id] for message_id in ids if message_id in by_id),
            tuple(found[at].decisive()) if segment == name and at in found else None,
        )
        for at, segment, change, cause, ids in changes
    ]


LONGEST_NAME = 100


def event_words(event: Record) -> str:
    """`Order Completed at 2026-06-30 12:00:00 UTC (message id)`."""
    name, message_id = (plain(text, LONGEST_NAME) for text in (event_name(event), event[MESSAGE_ID]))
    return f"{name} at {instant_words(event[TIMESTAMP])} ({message_id})"


def event_name(event: Record) -> str:
    """A track event's name; of any other its type, and its name if it has one."""
    if event[TYPE] == "track":
        return str(event[NAME])
    return f"{event[TYPE]} {event[NAME]}".strip()
