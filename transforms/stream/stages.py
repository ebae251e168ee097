"""The keyed stages of the stream, and how a deduplicated event enters them.

| stage | key | knows |
| --- | --- | --- |
| `messages` | message id | the copies and conflicting contents of one id |
| `names` | user id or previous id | whether an alias's previousId is a user, and when it was last seen |
| `registry` | one key | all aliases and deletions |
| `links` | user id | the devices that were ever linked to the user, for erasure |
| `devices` | anonymous id | links of the device and its anonymous events |
| `users` | user id | the user's events, root and erasures |
| `profiles` | profile id | the events of a profile: its rows and memberships |
| `accounts` | group id | what the users of an account have told of themselves: its rows and memberships |
| `receipts` | message id of a deletion | what it erased |
| `retractions` | message id of a retract | whether what it names was there |
| `failures` | failure id | a failure, and whether somebody whom its record names is erased |

Messages go from a stage to later ones only.
"""

from __future__ import annotations

import orjson

from schemas.event import ANONYMOUS_ID, MESSAGE_ID, NAME, PREVIOUS_ID, TIMESTAMP, TYPE, USER_ID, Failure
from transforms.accounts.contribution import ACCOUNTS
from transforms.deduplicate.copies import RAW, RETRACT
from transforms.failed_events import failure_id
from transforms.identity.links import BOTH
from transforms.identity.named import named_in
from transforms.identity.routes import tell
from transforms.records import Record
from transforms.state.cell import Target
from transforms.state.facts import Fact, event_fact

MESSAGES = "messages"
NAMES = "names"
REGISTRY = "registry"
LINKS = "links"
DEVICES = "devices"
USERS = "users"
PROFILES = "profiles"
RECEIPTS = "receipts"
RETRACTIONS = "retractions"
FAILURES = "failures"

ORDER = (MESSAGES, RETRACTIONS, NAMES, REGISTRY, LINKS, DEVICES, USERS, PROFILES, RECEIPTS, FAILURES, ACCOUNTS)
"""A stage sends to stages that stand after it."""
THE_REGISTRY = "registry"
"""The one key of the registry."""
TAKEN = "taken"
"""In the place of an event, when it is taken out: its message id and time, by which its owner finds it."""
FAILED = "failed"
NAMED = "named"
"""Facts: of a failure, what it is; of a user or device, that a failure names it, with the time of the record."""


def record_targets(record: Record) -> list[Target]:
    """What a standing record (an event, its bytes and its source) tells to whom.

    What an alias or a deletion comes to depends on all the others: the registry says it.
    """
    if record[TYPE] == RETRACT:
        return [(RETRACTIONS, record[MESSAGE_ID], ("retract", *record))]
    told = tell(record)
    timestamp, message_id = record[TIMESTAMP], record[MESSAGE_ID]
    targets: list[Target] = []
    event = event_fact(record[:RAW]) if record[RAW] else (TAKEN, message_id, timestamp)
    if told.device is not None:
        targets.append((DEVICES, told.device, event))
    if told.seen is not None:
        targets.append((NAMES, told.seen, ("seen", timestamp)))
    if told.claims:
        return targets + _claim_targets(record)
    if told.user is not None:
        targets.append((USERS, told.user, event))
        for device, _ in told.links:
            targets += link_targets(device, timestamp, message_id, told.user)
    return targets


def remembered(record: Record) -> Record:
    """What is kept of a record when its message id is forgotten: whose it is and of when, and no content."""
    kept = {MESSAGE_ID, TIMESTAMP, TYPE, USER_ID, ANONYMOUS_ID}
    event = [value if place in kept else None for place, value in enumerate(record[:RAW])]
    event[NAME] = ""
    return (*event, b"", "")


def _claim_targets(record: Record) -> list[Target]:
    if record[TYPE] == "delete":
        return [(REGISTRY, THE_REGISTRY, ("delete", record[TIMESTAMP], record[MESSAGE_ID], record[USER_ID]))]
    return [(NAMES, record[PREVIOUS_ID], ("asked",)), (REGISTRY, THE_REGISTRY, ("alias", *record))]


def link_targets(device: str, timestamp: int, message_id: str, user_id: str, stands: int = BOTH) -> list[Target]:
    """A link, told to the device and to the user's index of devices."""
    link = (
        ("link", timestamp, message_id, user_id) if stands == BOTH else ("link", timestamp, message_id, user_id, stands)
    )
    return [(DEVICES, device, link), (LINKS, user_id, ("linked", device))]


def failure_targets(failure: Failure) -> list[Target]:
    """A failure, told to the cell that writes its row and to everybody whom its record names."""
    failed = failure_id(failure.reason, failure.raw)
    named = named_in(failure.reason, failure.raw)
    errors, attributes = orjson.dumps(failure.errors), orjson.dumps(failure.attributes, option=orjson.OPT_SORT_KEYS)
    fact = (FAILED, failure.reason, errors, failure.stage, failure.message_id, failure.raw, attributes)
    targets: list[Target] = [(FAILURES, failed, (*fact, failure.source, failure.received_at))]
    for stage, names in ((USERS, named.users), (DEVICES, named.devices)):
        targets += [(stage, name, (NAMED, failed, named.at)) for name in dict.fromkeys(names)]
    return targets


def failure_erased(fact: Fact, at: int) -> Target:
    """That somebody is erased whom a failure names (`NAMED`), by a deletion at an instant."""
    return FAILURES, fact[1], ("erased", at)
