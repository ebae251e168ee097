"""Who should be in which segment of a destination, and why the others should not."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from transforms.activation.destination import Destination
from transforms.activation.people import Person, allows
from transforms.activation.suppression import Suppressed

NO_CONSENT, NO_IDENTIFIER = "no consent", "no identifier"


class Membership(NamedTuple):
    """A row of `memberships`; instants in microseconds, None: has not ended, or does not by itself."""

    profile_id: str
    segment: str
    entered_at: int
    exited_at: int | None
    expires_at: int | None


class Wish(NamedTuple):
    """A member of a segment that the destination names. `obstacle` is why it is not wanted there, "" if it is.

    The obstacle is `NO_CONSENT`, `NO_IDENTIFIER`, or a reason of suppression.
    """

    person: Person
    segment: str
    obstacle: str


def is_member(membership: Membership, at_us: int | None) -> bool:
    """Whether it holds at an instant; without one, at the instant that the tables are of."""
    if at_us is None:
        return membership.exited_at is None
    ends = [end for end in (membership.exited_at, membership.expires_at) if end is not None]
    return membership.entered_at <= at_us and all(end > at_us for end in ends)


def find_wanted(
    destination: Destination,
    members: Iterable[tuple[str, str]],
    people: Mapping[str, Person],
    consent: Mapping[str, Sequence[str]],
    suppressed: Suppressed,
) -> Iterator[Wish]:
    """What the destination should hold.

    Args:
        destination: its file.
        members: profile and segment of everybody who is a member now.
        people: those profiles, for this destination.
        consent: the purposes that each segment asks for.
        suppressed: who said no.
    """
    for profile_id, segment in members:
        if segment not in destination.segments or profile_id not in people:
            continue
        person = people[profile_id]
        purposes = (*destination.consent, *consent.get(segment, ()))
        yield Wish(person, segment, _obstacle(person, purposes, suppressed))


def _obstacle(person: Person, purposes: Sequence[str], suppressed: Suppressed) -> str:
    if person.identifier is None:
        return NO_IDENTIFIER
    reason = suppressed.reason(person.profile_id, person.identifier_hash)
    if reason:
        return reason
    return "" if allows(person.traits, purposes) else NO_CONSENT
