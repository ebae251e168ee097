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
| `receipts` | message id of a deletion | what it erased |

Messages go from a stage to later ones only.
"""

from __future__ import annotations

from schemas.event import ANONYMOUS_ID, MESSAGE_ID, PREVIOUS_ID, TIMESTAMP, TYPE, USER_ID
from transforms.deduplicate.copies import RAW, SOURCE
from transforms.identity.links import BOTH
from transforms.records import Record
from transforms.state.cell import Target
from transforms.state.facts import event_fact

MESSAGES = "messages"
NAMES = "names"
REGISTRY = "registry"
LINKS = "links"
DEVICES = "devices"
USERS = "users"
PROFILES = "profiles"
RECEIPTS = "receipts"

ORDER = (MESSAGES, NAMES, REGISTRY, LINKS, DEVICES, USERS, PROFILES, RECEIPTS)
"""A stage sends to stages that stand after it."""
THE_REGISTRY = "registry"
"""The one key of the registry."""


def record_targets(record: Record) -> list[Target]:
    """What a standing record (an event, its bytes and its source) tells to whom."""
    event, user_id, device = record[:RAW], record[USER_ID], record[ANONYMOUS_ID]
    timestamp, message_id = record[TIMESTAMP], record[MESSAGE_ID]
    if user_id is None:
        return [(DEVICES, device, event_fact(event))]
    if record[TYPE] == "delete":
        return [(REGISTRY, THE_REGISTRY, ("delete", timestamp, message_id, user_id))]
    seen = (NAMES, user_id, ("seen", timestamp))
    if record[TYPE] == "alias":
        alias = ("alias", *event, record[RAW], record[SOURCE])
        return [seen, (NAMES, record[PREVIOUS_ID], ("asked",)), (REGISTRY, THE_REGISTRY, alias)]
    told = [seen, (USERS, user_id, event_fact(event))]
    return told if device is None else [*told, *link_targets(device, timestamp, message_id, user_id)]


def link_targets(device: str, timestamp: int, message_id: str, user_id: str, stands: int = BOTH) -> list[Target]:
    """A link, told to the device and to the user's index of devices."""
    link = (
        ("link", timestamp, message_id, user_id) if stands == BOTH else ("link", timestamp, message_id, user_id, stands)
    )
    return [(DEVICES, device, link), (LINKS, user_id, ("linked", device))]
