"""Which rows of which table are about a person: every table is here, or among the exceptions with a reason.

A new table or column that nobody thought of fails a test (tests/export/test_shares.py), so that no export lacks it.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from schemas import ledger, tables
from transforms.identity.named import named_in


@dataclass(frozen=True, slots=True)
class Share:
    """The rows of a table that are about a person.

    Attributes:
        where: an SQL condition; its parameters are `$profiles`, `$users`, `$hashes` (SHA-256 of user ids) and
            `$addresses` (hashes of identifiers at destinations), each a list of texts.
        about: what the rows are, for a reader.
        hidden: columns that are somebody else's, each with the reason why they are left out.
    """

    where: str
    about: str
    hidden: Mapping[str, str]


def _share(where: str, about: str, hidden: Mapping[str, str] | None = None) -> Share:
    return Share(where, about, hidden or {})


_OF_PROFILE = "list_contains($profiles, profile_id)"
_OF_ADDRESS = "list_contains($addresses, identifier_hash)"

SHARES: dict[str, Share] = {
    tables.PROFILES.name: _share(_OF_PROFILE, "The profile, and profiles that were merged into it."),
    tables.EVENTS.name: _share(_OF_PROFILE, "What was recorded of what you did and told."),
    tables.MEMBERSHIPS.name: _share(
        _OF_PROFILE, "The segments you are or were in, from when to when, and by which events."
    ),
    tables.MEMBERSHIP_CHANGES.name: _share(_OF_PROFILE, "Every entry and exit as it was told."),
    tables.IDENTITY_LINKS.name: _share(
        "list_contains($users, user_id)", "Devices and earlier ids that were linked to you."
    ),
    tables.FAILED_EVENTS.name: _share("true", "Records that name you and could not be processed."),
    tables.DELETIONS.name: _share("list_contains($hashes, id_hash)", "Receipts of erasures that you asked for."),
    ledger.ACTIVATIONS.name: _share(
        _OF_PROFILE, "What was sent where: each destination and segment, and how it ended."
    ),
    ledger.DESTINATION_RECORDS.name: _share(_OF_ADDRESS, "The number of your record at each destination."),
    ledger.SUPPRESSIONS.name: _share(_OF_ADDRESS, "Destinations that must not write to you any more, and why."),
    ledger.PREDICTIONS.name: _share(_OF_PROFILE, "What was predicted of you."),
    ledger.DUPLICATES.name: _share(
        "list_contains($profiles, left_id) OR list_contains($profiles, right_id)",
        "Other profiles that may be yours too.",
        {"left_id": "may be somebody else's id", "right_id": "may be somebody else's id"},
    ),
}

EXCEPTIONS: dict[str, str] = {
    tables.ACCOUNTS.name: "what is known of a company; what put the person into it is among their events",
    tables.RETRACTIONS.name: "ids of events that are gone, and of nobody any more",
    ledger.PREDICTION_TRIALS.name: "how good predictions were, none about a person",
    ledger.AUDITS.name: "figures about days and sources, none about a person",
}
"""Tables that hold nothing about a person, each with the reason."""


@dataclass(frozen=True, slots=True)
class Identifiers:
    """By what a person is known: user ids, and devices that were never linked to anybody else."""

    users: Collection[str]
    devices: Collection[str]


def names_person(reason: str, raw: bytes, known: Identifiers) -> bool:
    """Whether a record that failed is this person's: it has their user id, or no user id and a device of theirs alone.

    What has no id in its place may be about anybody, and stays unread.
    """
    named = named_in(reason, raw)
    return named.in_place and not (
        set(named.users).isdisjoint(known.users) and set(named.devices).isdisjoint(known.devices)
    )
