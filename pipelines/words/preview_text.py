"""A preview as text for a person."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from pipelines.words.layout import bar, heading, table, wrapped
from schemas.text import plain
from transforms.explain.findings import Finding, FindingGroup
from transforms.explain.preview import Difference, Preview, Shown
from transforms.explain.statistics import Day
from transforms.explain.story import Standing, event_words
from transforms.explain.timeline import Timeline
from transforms.explain.words import instant_words, span_words
from transforms.segments.language.literals import format_duration

if TYPE_CHECKING:
    from pipelines.local.resolve import Counts

_MOST_DAYS = 42
_MOST_OVERLAPS = 15
_MOST_NAMED = 5


def preview_text(preview: Preview, counts: Counts, warnings: Sequence[str]) -> str:
    """The whole preview."""
    parts = [
        _summary(preview, counts),
        *([_difference(preview.difference)] if preview.difference is not None else []),
        _days(preview.days, preview.timeline),
        _stays(preview),
        _overlaps(preview),
        _sample(preview.sample, f"Members, and why ({len(preview.sample)} of {len(preview.members):,})"),
        _cost(preview),
        _activation(preview),
        _warnings(warnings),
    ]
    return "\n".join(line for part in parts for line in part) + "\n"


def _summary(preview: Preview, counts: Counts) -> Iterator[str]:
    segment = preview.rule.segment
    every = "profiles" if segment.of == "users" else "accounts"
    yield f"{segment.name}: {len(preview.members):,} of {preview.profiles:,} {every} are in it"
    yield from wrapped(segment.description) if segment.description else ()
    yield f"  as of {instant_words(preview.as_of)}, version {segment.version}"
    failed = counts.failed.total()
    yield f"  from {counts.read:,} records: {counts.duplicates:,} duplicates, {failed:,} failed"


def _difference(difference: Difference) -> Iterator[str]:
    yield from heading("Against the other version")
    added, removed = len(difference.added), len(difference.removed)
    yield f"  it has {difference.members:,} members (version {difference.version})"
    yield f"  this one has {added:,} that are not in it, and lacks {removed:,} that are"
    yield from _sample(difference.added_sample, f"Added ({len(difference.added_sample)} of {added:,})")
    yield from _sample(difference.removed_sample, f"Removed ({len(difference.removed_sample)} of {removed:,})")


def _days(days: Sequence[Day], line: Timeline) -> Iterator[str]:
    unit = line.bin_words()
    yield from heading(f"Entries, exits and size by {unit} (UTC)")
    if not days:
        yield "  nobody has ever entered"
        return
    largest = max(day.size for day in days)
    if len(days) > _MOST_DAYS:
        yield f"  the last {_MOST_DAYS} of {len(days):,} {'days' if unit == 'day' else f'times {unit}'}"
    rows = [(day.day, day.entered, day.exited, day.size, bar(day.size, largest, 50)) for day in days[-_MOST_DAYS:]]
    yield from table(("day" if unit == "day" else "from", "entered", "exited", "size", ""), rows)
    yield from wrapped(line.far_words("entries and exits")) if line.far else ()


def _stays(preview: Preview) -> Iterator[str]:
    yield from heading("Time in the segment")
    stays = preview.stays
    if stays.ended and stays.median is not None and stays.mean is not None:
        yield f"  {stays.ended:,} stays have ended: median {span_words(stays.median)}, mean {span_words(stays.mean)},"
        yield f"  nine in ten within {span_words(stays.ninth_decile or 0)}, longest {span_words(stays.longest or 0)}"
    else:
        yield "  no stay has ended yet"
    if stays.open_median is not None:
        yield f"  {stays.open:,} go on: for {span_words(stays.open_median)} so far, by the median"


def _overlaps(preview: Preview) -> Iterator[str]:
    shared = [other for other in preview.overlaps if other.both]
    if not preview.overlaps:
        return
    yield from heading("Members that are in other segments too")
    if not shared:
        yield "  none"
        return
    own = len(preview.members)
    rows = [
        (other.segment[:50], other.both, other.members, f"{other.share:7.0%}", f"{other.both / own:16.0%}")
        for other in shared[:_MOST_OVERLAPS]
    ]
    yield from table(("segment", "in both", "its members", "overlap", "of these members"), rows)


def _sample(sample: Sequence[Shown], title: str) -> Iterator[str]:
    if not sample:
        return
    yield from heading(title)
    for shown in sample:
        yield f"  {plain(shown.profile_id, 96)}"
        yield from standing_lines(shown.standing, indent=4)
        if shown.against is not None:
            yield f"    in the other version: {'a member' if shown.against.member else 'not a member'}"
            yield from standing_lines(shown.against, indent=6)


def standing_lines(standing: Standing, indent: int) -> Iterator[str]:
    """How a profile stands to the segment and why, in a few lines."""
    if standing.member:
        end = f"leaves {instant_words(standing.next_at)}" if standing.next_at is not None else "stays"
        yield " " * indent + f"in since {instant_words(standing.since)}, {end} if nothing else happens"
    elif standing.next_at is not None:
        yield " " * indent + f"enters {instant_words(standing.next_at)} if nothing else happens"
    if standing.obstacle:
        yield from wrapped(f"not in it: {standing.obstacle}", indent, 2)
    if standing.findings is None:
        yield from wrapped("it is in the segment's list of members", indent, 2) if standing.member else ()
    elif not standing.obstacle:
        yield from _decisive(standing.findings, indent)
    if standing.reason is not None:
        yield from _reason(standing, indent)


def _decisive(findings: FindingGroup, indent: int) -> Iterator[str]:
    word = "because" if findings.fulfilled else "fails"
    for finding in findings.decisive():
        yield from wrapped(f"{word}: {finding.words()}", indent, 9)


def _reason(standing: Standing, indent: int) -> Iterator[str]:
    reason = standing.reason
    if reason is None or not reason.events:
        return
    for event in reason.events[:_MOST_NAMED]:
        yield from wrapped(f"by {event_words(event)}", indent, 9)
    more = len(reason.events) - _MOST_NAMED
    if more > 0:
        yield " " * indent + f"and {more:,} more that are needed"
    if reason.spare:
        yield " " * indent + f"({len(reason.spare):,} others would do as well)"


def finding_lines(findings: FindingGroup, indent: int) -> Iterator[str]:
    """Every part of a rule: whether it is as it should be, what it is, what time alone will change, what is missing."""
    if len(findings.items) > 1:
        yield " " * indent + ("all of these must hold:" if findings.kind == "all" else "one of these must hold:")
        indent += 2
    for item in findings.items:
        if isinstance(item, FindingGroup):
            yield from finding_lines(item, indent)
        else:
            yield from _finding(item, indent)


def _finding(finding: Finding, indent: int) -> Iterator[str]:
    yield from wrapped(f"{'yes' if finding.fulfilled else 'NO '} {finding.words()}", indent, 4)
    if len(finding.steps) > 1:
        steps = ", then ".join(f"{words}: {count}" for words, count in finding.steps)
        yield from wrapped(f"events left by each step: {steps}", indent + 4, 2)
    if finding.changes_at is not None:
        verb = "no longer" if finding.fulfilled else "so"
        yield " " * (indent + 4) + f"{verb} from {instant_words(finding.changes_at)}, if nothing else happens"


def _cost(preview: Preview) -> Iterator[str]:
    yield from heading("What the rule costs")
    for name, cost in ((preview.rule.segment.name, preview.cost), *preview.costs_of_others):
        kept = "" if cost.retention_us is None else f"; retention {format_duration(cost.retention_us)}"
        bounded = "its state is bounded" if cost.bounded else "its state grows without bound"
        yield from wrapped(f"{name}: {cost.text}{kept if cost.retention_us else ''}; {bounded}", 2, 2)
    yield f"  timers per profile: {preview.timers} at most, now"


def _activation(preview: Preview) -> Iterator[str]:
    activation = preview.activation
    yield from heading("What activation would send")
    if preview.rule.segment.of == "accounts":
        yield "  nothing: destinations hold people"
        return
    if not activation.purposes:
        yield f"  all {len(preview.members):,} members: the segment asks for no consent"
        return
    purposes = ", ".join(activation.purposes)
    yield f"  {len(activation.profile_ids):,} members that agreed to {purposes}; {activation.withheld:,} are withheld"


def _warnings(warnings: Sequence[str]) -> Iterator[str]:
    if warnings:
        yield from heading("Warnings")
        for warning in warnings:
            yield from wrapped(warning, 2, 2)
