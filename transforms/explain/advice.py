"""Warnings that help: what the author of a segment would want to know before it is used. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence, Set

from transforms.explain.mentioned import Mentioned, Property
from transforms.explain.statistics import Overlap
from transforms.explain.words import instant_words
from transforms.segments.language.definitions import MANY_SEGMENTS
from transforms.segments.language.errors import closest

NEARLY_THE_SAME = 0.9
"""Share of the profiles in either of two segments that are in both."""

SOON_US = 30 * 86_400_000_000

_EXTRACTORS = {"track": "event", "page": "page", "screen": "screen"}


def about_number(segments: int) -> Iterator[str]:
    """Too many segments."""
    if segments > MANY_SEGMENTS:
        yield f"{segments} segments: more than {MANY_SEGMENTS} dilute personalisation and are hard to tell apart in use"


def about_size(name: str, entries: int, members: int, profiles: int) -> Iterator[str]:
    """Nobody, or everybody."""
    if not entries:
        yield f"{name}: nobody has ever entered"
    elif profiles > 1 and members == profiles:
        yield f"{name}: every one of the {profiles:,} profiles is in it"


def about_overlaps(name: str, overlaps: Iterable[Overlap]) -> Iterator[str]:
    """Other segments that are nearly the same."""
    for other in overlaps:
        if other.share > NEARLY_THE_SAME:
            yield f"{name}: nearly the same as {other.segment} ({other.share:.0%} of those in either are in both)"


def about_expiry(name: str, expires: int | None, as_of: int) -> Iterator[str]:
    """A segment that has expired, or will soon."""
    if expires is None:
        return
    if expires <= as_of:
        yield f"{name}: expired at {instant_words(expires)}, it has no members"
    elif expires - as_of <= SOON_US:
        yield f"{name}: expires soon, at {instant_words(expires)}"


def about_absent(
    name: str, read: Mentioned, event_names: Counter[tuple[str, str]], occurring: Set[Property | str]
) -> Iterator[str]:
    """Events, properties and traits that the rule reads and that never occur in the input."""
    for kind, event in sorted(read.streams):
        if not event_names[kind, event]:
            known = [other for other_kind, other in event_names if other_kind == kind and other]
            shown = f"{_EXTRACTORS[kind]} '{event}'"
            yield f"{name}: {shown} never occurs in the input" + _did_you_mean(event, known)
    for wanted in sorted(read.properties):
        if event_names[wanted.type, wanted.name] and wanted not in occurring:
            field = "property" if wanted.source == "properties" else "context"
            yield f"{name}: {field} '{wanted.path}' never occurs in '{wanted.name}'"
    for path in sorted(read.traits):
        if path not in occurring:
            yield f"{name}: trait '{path}' never occurs in the input"


def _did_you_mean(name: str, known: Sequence[str]) -> str:
    found = closest(name, known)
    return f"; did you mean {found}?" if found else ""
