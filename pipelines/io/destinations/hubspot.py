"""HubSpot: contacts by e-mail, 100 at a time, a static list per segment, properties.

Lists hold record ids, which the upsert tells and the ledger keeps. Who opted out of all e-mail is asked before anybody
is written. A batch that one contact spoils is refused as a whole: it is halved until that one is found.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import quote

from pipelines.io.destinations.base import Connection, SettingsError, Surroundings, all_pending, halved, one_by_one
from pipelines.io.destinations.client import Answer, Client, Later, Rate
from pipelines.io.destinations.guard import checked_url
from transforms.activation.people import hash_identifier
from transforms.activation.rows import ACKNOWLEDGED, PENDING, REFUSED, SUPPRESSED, Change, Outcome
from transforms.activation.suppression import UNSUBSCRIBED

BATCH = 100
PAGE = 100
REQUESTS, SECONDS = 100, 10.0
"""What the smallest account may send."""

_CONTACTS = "/crm/v3/objects/contacts"
_LISTS = "/crm/v3/lists"
_PEOPLE = "0-1"
_OPT_OUTS = "/communication-preferences/v4/statuses/batch/unsubscribe-all/read"


def connect(settings: Mapping[str, Any], surroundings: Surroundings) -> Connection:
    """Raises SettingsError."""
    token = next(settings[name] for name in ("token", "access_token", "api_key") if name in settings)
    requests = settings.get("requests_per_10_seconds", REQUESTS)
    if not isinstance(requests, int) or requests < 1:
        raise SettingsError("requests_per_10_seconds: expected a number of at least 1")
    client = Client(
        checked_url(settings.get("url", "https://api.hubapi.com")),
        {"Authorization": f"Bearer {token}"},
        rate=Rate(requests, SECONDS, surroundings.clock),
        clock=surroundings.clock,
        transport=surroundings.transport,
        is_daily=lambda answer: "DAILY" in str(answer.get("policyName")),
    )
    return HubSpot(client, settings.get("opt_outs", True) is not False)


class HubSpot(Connection):
    """One account.

    Args:
        client: of the API.
        reads_opt_outs: whether to ask who opted out of all e-mail. HubSpot itself does not mail them either.
    """

    batch_size = BATCH

    def __init__(self, client: Client, reads_opt_outs: bool) -> None:
        self._client = client
        self._reads_opt_outs = reads_opt_outs
        self._lists: dict[str, str] = {}

    def send(self, changes: Sequence[Change]) -> list[Outcome]:
        if changes[0].kind == "erase":
            return one_by_one(self._erase, changes, 1)
        try:
            return self._remove(changes) if changes[0].kind == "remove" else self._add(changes)
        except Later as later:
            return all_pending(changes, later)

    def close(self) -> None:
        self._client.close()

    # --- contacts ----------------------------------------------------------------------------------------------------

    def _add(self, changes: Sequence[Change]) -> list[Outcome]:
        opted_out = self._opted_out([str(change.identifier) for change in changes])
        outcomes = [Outcome(c, SUPPRESSED, UNSUBSCRIBED) for c in changes if c.identifier in opted_out]
        outcomes += self._upsert([change for change in changes if change.identifier not in opted_out])
        written = [outcome for outcome in outcomes if outcome.state == ACKNOWLEDGED]
        missing: dict[str, str] = {}
        for segment in sorted({segment for outcome in written for segment in outcome.change.segments}):
            ids = [outcome.record_id for outcome in written if segment in outcome.change.segments]
            missing |= self._put(segment, ids)
        return [
            Outcome(one.change, PENDING, missing[one.record_id], one.record_id) if one.record_id in missing else one
            for one in outcomes
        ]

    def _upsert(self, changes: Sequence[Change]) -> list[Outcome]:
        """Each contact with its record id."""
        if not changes:
            return []
        inputs = [
            {
                "id": change.identifier,
                "idProperty": "email",
                "properties": {name: property_value(value) for name, value in change.fields.items()},
                "objectWriteTraceId": change.identifier_hash[:32],
            }
            for change in changes
        ]
        try:
            answer = self._client.request("POST", f"{_CONTACTS}/batch/upsert", {"inputs": inputs})
        except Later as later:
            return all_pending(changes, later)
        if not answer.is_success:
            if len(changes) == 1:
                return [_refused(changes[0], answer)]
            return [outcome for part in halved(changes) for outcome in self._upsert(part)]
        return self._told(changes, answer)

    def _told(self, changes: Sequence[Change], answer: Answer) -> list[Outcome]:
        """What the answer says of each: the order of its results means nothing."""
        by_trace = {change.identifier_hash[:32]: change for change in changes}
        by_email = {str(change.identifier): change for change in changes}
        told: dict[str, Outcome] = {}
        for result in _objects(answer.get("results")):
            email = str((result.get("properties") or {}).get("email") or "").lower()
            change = by_trace.get(str(result.get("objectWriteTraceId"))) or by_email.get(email)
            if change is not None and result.get("id"):
                told[change.identifier_hash] = Outcome(change, ACKNOWLEDGED, None, str(result["id"]))
        for error in _objects(answer.get("errors")):
            for trace in (error.get("context") or {}).get("objectWriteTraceId") or ():
                change = by_trace.get(str(trace))
                if change is not None:
                    told[change.identifier_hash] = Outcome(change, REFUSED, str(error.get("category") or "refused"))
        silent = [change for change in changes if change.identifier_hash not in told]
        if silent and len(silent) == len(changes) == 1:
            return [Outcome(silent[0], PENDING, "success, but nothing was done")]
        again = [
            outcome for part in (halved(silent) if len(silent) > 1 else [silent]) for outcome in self._upsert(part)
        ]
        return [*told.values(), *again]

    def _opted_out(self, addresses: Sequence[str]) -> set[str]:
        if not self._reads_opt_outs or not addresses:
            return set()
        answer = self._client.request("POST", _OPT_OUTS, {"inputs": list(addresses)}, params={"channel": "EMAIL"})
        if not answer.is_success:
            if answer.status == 404:
                self._reads_opt_outs = (
                    False  # this account has no such thing; HubSpot itself mails nobody who opted out
                )
                return set()
            raise Later(f"opt-outs cannot be read: status {answer.status}")
        return {
            str(result.get("subscriberIdString")).lower()
            for result in _objects(answer.get("results"))
            if any(status.get("status") == "UNSUBSCRIBED" for status in _objects(result.get("wideStatuses")))
        }

    def _erase(self, change: Change) -> Outcome:
        if change.identifier is not None:
            body = {"objectId": change.identifier, "idProperty": "email"}
        else:
            record_id = change.record_id or self._find(change.identifier_hash)
            if record_id is None:
                return Outcome(change, ACKNOWLEDGED)
            body = {"objectId": record_id}
        answer = self._client.request("POST", f"{_CONTACTS}/gdpr-delete", body)
        if answer.is_success or answer.status == 404:
            return Outcome(change, ACKNOWLEDGED)
        return Outcome(change, PENDING, f"status {answer.status}")

    def _find(self, identifier_hash: str) -> str | None:
        """The contact whose address has this hash, of all: for one whose id was in an answer that was lost."""
        for contact in self._pages(_CONTACTS, {"properties": "email"}):
            email = (contact.get("properties") or {}).get("email")
            if email and hash_identifier(str(email)) == identifier_hash:
                return str(contact["id"])
        return None

    # --- lists -------------------------------------------------------------------------------------------------------

    def _remove(self, changes: Sequence[Change]) -> list[Outcome]:
        ids = self._record_ids(changes)
        for segment in sorted({segment for change in changes for segment in change.segments}):
            found = [ids[c.identifier_hash] for c in changes if segment in c.segments and ids[c.identifier_hash]]
            list_id = self._list_id(segment, create=False)
            if found and list_id is not None:
                answer = self._client.request("PUT", f"{_LISTS}/{list_id}/memberships/remove", found)
                if not answer.is_success and answer.status != 404:
                    raise Later(f"the list refuses: status {answer.status}")
        return [Outcome(change, ACKNOWLEDGED, None, ids[change.identifier_hash] or "") for change in changes]

    def _record_ids(self, changes: Sequence[Change]) -> dict[str, str | None]:
        """By hash; None: there is no such contact."""
        ids: dict[str, str | None] = {change.identifier_hash: change.record_id or None for change in changes}
        named = [str(c.identifier) for c in changes if not c.record_id and c.identifier is not None]
        ids |= self._ids_of(named)
        for change in changes:
            if ids[change.identifier_hash] is None and change.identifier is None:
                ids[change.identifier_hash] = self._find(change.identifier_hash)
        return ids

    def _ids_of(self, addresses: Sequence[str]) -> dict[str, str | None]:
        if not addresses:
            return {}
        found = self._read_contacts([{"id": address} for address in addresses], {"idProperty": "email"})
        return {hash_identifier(email): record_id for record_id, email in found.items()}

    def _read_contacts(self, inputs: Sequence[dict[str, str]], more: Mapping[str, str]) -> dict[str, str]:
        """Addresses by record id."""
        body = {"inputs": list(inputs), "properties": ["email"], "propertiesWithHistory": [], **more}
        answer = self._client.request("POST", f"{_CONTACTS}/batch/read", body)
        if not answer.is_success:
            raise Later(f"contacts cannot be read: status {answer.status}")
        results = _objects(answer.get("results"))
        return {str(one["id"]): str((one.get("properties") or {}).get("email") or "").lower() for one in results}

    def _put(self, segment: str, ids: Sequence[str]) -> dict[str, str]:
        """Puts records into a list; returns why some are not there."""
        try:
            list_id = self._list_id(segment, create=True)
            answer = self._client.request("PUT", f"{_LISTS}/{list_id}/memberships/add", list(ids))
        except Later as later:
            return dict.fromkeys(ids, str(later))
        if not answer.is_success:
            self._lists.pop(segment, None)
            return dict.fromkeys(ids, f"the list refuses: status {answer.status}")
        missing = {str(record_id) for record_id in answer.get("recordIdsMissing") or ()}
        return {record_id: "the contact is gone" for record_id in ids if record_id in missing}

    def _list_id(self, name: str, *, create: bool) -> str | None:
        if name not in self._lists:
            answer = self._client.request("GET", f"{_LISTS}/object-type-id/{_PEOPLE}/name/{quote(name, safe='')}")
            if answer.status == 404 and create:
                body = {"name": name, "objectTypeId": _PEOPLE, "processingType": "MANUAL"}
                answer = self._client.request("POST", f"{_LISTS}", body)
                if answer.status in (400, 409):  # made by the attempt whose answer was lost
                    answer = self._client.request(
                        "GET", f"{_LISTS}/object-type-id/{_PEOPLE}/name/{quote(name, safe='')}"
                    )
            if answer.status == 404:
                return None
            found = answer.get("list")
            if not answer.is_success or not isinstance(found, dict) or not found.get("listId"):
                raise Later(f"the list cannot be found: status {answer.status}")
            self._lists[name] = str(found["listId"])
        return self._lists[name]

    def read_back(self, segments: Sequence[str]) -> dict[str, dict[str, str]] | None:
        found: dict[str, dict[str, str]] = {}
        for segment in segments:
            list_id = self._list_id(segment, create=False)
            pages = self._pages(f"{_LISTS}/{list_id}/memberships", {}) if list_id is not None else ()
            ids = [str(one["recordId"]) for one in pages]
            found[segment] = {}
            for start in range(0, len(ids), BATCH):
                contacts = self._read_contacts([{"id": one} for one in ids[start : start + BATCH]], {})
                found[segment] |= {hash_identifier(email): email for email in contacts.values() if email}
        return found

    def _pages(self, path: str, params: Mapping[str, str]) -> Iterator[dict[str, Any]]:
        after: str | None = None
        while True:
            page = {**params, "limit": str(PAGE), **({"after": after} if after else {})}
            answer = self._client.request("GET", path, params=page)
            if not answer.is_success:
                raise Later(f"{path} cannot be read: status {answer.status}")
            yield from _objects(answer.get("results"))
            after = ((answer.get("paging") or {}).get("next") or {}).get("after")
            if not after:
                return


def property_value(value: Any) -> str:
    """A value as a property takes it: text; nothing is the empty text, which clears it.

    >>> property_value(None), property_value(True), property_value(3), property_value(["a", "b"])
    ('', 'true', '3', 'a;b')
    """
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list | tuple):
        return ";".join(map(str, value))
    return str(value)


def _objects(value: Any) -> list[dict[str, Any]]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def _refused(change: Change, answer: Answer) -> Outcome:
    category = answer.get("category")
    reason = f"status {answer.status}" + (f": {category}" if isinstance(category, str) else "")
    return Outcome(change, REFUSED if answer.status < 500 else PENDING, reason)
