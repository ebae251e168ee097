"""One profile's story as text for a person."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from pipelines.words.layout import heading, wrapped
from pipelines.words.preview_text import finding_lines, standing_lines
from schemas.event import TIMESTAMP
from schemas.text import plain
from transforms.explain.story import LONGEST_NAME, Story, Turn, event_name, event_words
from transforms.explain.words import instant_words
from transforms.records import Record

_MOST_LINES = 200
"""Entries of the timeline, the latest ones."""
_MOST_NAMED = 5

_CAUSES = {
    "time": "by the passing of time",
    "event": "by an event",
    "segment_expired": "because the segment expired",
}


def story_text(story: Story, segment: str, as_of: int) -> str:
    """The whole story; `segment`: the one that it is told for."""
    parts = [
        _summary(story, as_of),
        _standing(story, segment),
        _timeline(story, segment),
    ]
    return "\n".join(line for part in parts for line in part) + "\n"


def _summary(story: Story, as_of: int) -> Iterator[str]:
    yield f"{plain(story.profile_id, LONGEST_NAME)}: {len(story.events):,} events as of {instant_words(as_of)}"
    yield from wrapped(f"segments: {', '.join(story.segments) or 'none'}", 2, 2)


def _standing(story: Story, segment: str) -> Iterator[str]:
    standing = story.standing
    yield from heading(f"{segment}: {'a member' if standing.member else 'not a member'}")
    yield from standing_lines(standing, indent=2)
    if standing.findings is not None:
        if not standing.member and not standing.obstacle:
            yield "  what would make it true:"
        else:
            yield "  every part of the rule:"
        yield from finding_lines(standing.findings, indent=4)


def _timeline(story: Story, segment: str) -> Iterator[str]:
    yield from heading("Timeline")
    entries: list[Turn | list[Record]] = []
    turns = list(story.turns)
    for event in story.events:
        while turns and turns[0].at < event[TIMESTAMP]:
            entries.append(turns.pop(0))
        if entries and isinstance(entries[-1], list):
            entries[-1].append(event)
        else:
            entries.append([event])
    entries += turns
    if len(entries) > _MOST_LINES:
        yield f"  the last {_MOST_LINES} of {len(entries):,} entries; --json has all"
    for entry in entries[-_MOST_LINES:]:
        yield from _events(entry) if isinstance(entry, list) else _turn(entry, segment)


def _events(events: Sequence[Record]) -> Iterator[str]:
    """Events with no change between them, on one line each, or all on one."""
    if len(events) <= _MOST_NAMED:
        for event in events:
            yield from wrapped(f"{instant_words(event[TIMESTAMP])}  {_name(event)}", 2, 4)
        return
    names = Counter(map(_name, events))
    shown = ", ".join(f"{name} {count}x" if count > 1 else name for name, count in names.most_common(8))
    yield from wrapped(f"{instant_words(events[0][TIMESTAMP])}  {len(events):,} events: {shown}", 2, 4)
    yield from wrapped(f"{instant_words(events[-1][TIMESTAMP])}  {_name(events[-1])}, the last of them", 2, 4)


def _name(event: Record) -> str:
    return plain(event_name(event), LONGEST_NAME)


def _turn(turn: Turn, segment: str) -> Iterator[str]:
    sign = "->" if turn.change == "entered" else "<-"
    cause = _CAUSES.get(turn.cause, turn.cause)
    yield from wrapped(f"{sign} {instant_words(turn.at)}  {turn.change} {turn.segment} {cause}", 2, 6)
    for event in turn.events[:_MOST_NAMED]:
        yield from wrapped(f"by {event_words(event)}", 8, 3)
    if len(turn.events) > _MOST_NAMED:
        yield f"        and {len(turn.events) - _MOST_NAMED} more"
    if turn.segment == segment:
        for part in turn.parts or ():
            yield from wrapped(f"{'met' if part.fulfilled else 'failed'}: {part.words()}", 8, 5)
