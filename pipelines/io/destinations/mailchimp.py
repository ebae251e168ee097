"""Mailchimp: a member by e-mail, a tag per segment, merge fields.

Members are made and updated 500 at a time, and never told their status: that would subscribe again whoever left. A tag
is a static segment, so people are put in and taken out 500 at a time, too; what that call does not confirm is asked for
member by member, where the answer is definite. A member whom only the ledger still knows is found by the MD5 of the
address, which is the member's id.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pipelines.io.destinations.base import Connection, SettingsError, Surroundings, all_pending, halved, one_by_one
from pipelines.io.destinations.client import Answer, Client, Later
from pipelines.io.destinations.guard import checked_url
from transforms.activation.people import hash_identifier
from transforms.activation.rows import ACKNOWLEDGED, PENDING, REFUSED, SUPPRESSED, Change, Outcome
from transforms.activation.suppression import BOUNCED, ERASED, UNSUBSCRIBED

BATCH = 500
PAGE = 1_000
CONNECTIONS = 8
"""Mailchimp allows ten at once for one user."""

LONGEST_TEXT_BYTES = 255
_GONE = (404, 405)
_OPTED_OUT = {"unsubscribed": UNSUBSCRIBED, "cleaned": BOUNCED}
# What an error's words mean: Mailchimp has no codes for these.
_SUPPRESSED = (
    ("forgotten", ERASED),
    ("permanently deleted", ERASED),
    ("cleaned", BOUNCED),
    ("bounced", BOUNCED),
    ("compliance", UNSUBSCRIBED),
    ("unsubscribed", UNSUBSCRIBED),
)
_TOO_SOON = "signed up to a lot of lists"


def connect(settings: Mapping[str, Any], surroundings: Surroundings) -> Connection:
    """Raises SettingsError."""
    server = str(settings.get("server", ""))
    url = settings.get("url") or (server if "://" in server else f"https://{server}.api.mailchimp.com")
    place = checked_url(url).rstrip("/")
    client = Client(
        place if place.endswith("/3.0") else f"{place}/3.0",
        {},
        auth=("tidemark", str(settings["api_key"])),
        connections=CONNECTIONS,
        clock=surroundings.clock,
        transport=surroundings.transport,
    )
    status = str(settings.get("status_if_new", "subscribed"))
    if status not in {"subscribed", "pending", "transactional"}:
        raise SettingsError("status_if_new: expected subscribed, pending or transactional")
    return Mailchimp(client, str(settings["list"]), status, settings.get("automations", True) is not False)


class Mailchimp(Connection):
    """One audience.

    Args:
        client: of the API.
        audience: the id of the list.
        status_if_new: what a member is who was not there.
        automations: whether tags may start automations; if not, they are set member by member.
    """

    batch_size = BATCH

    def __init__(self, client: Client, audience: str, status_if_new: str, automations: bool) -> None:
        self._client = client
        self._list = f"/lists/{audience}"
        self._status_if_new = status_if_new
        self._bulk_tags = automations
        self._tags: dict[str, int] | None = None
        self._opted_out: dict[str, str] | None = None

    def record_id(self, identifier: str) -> str:
        return hashlib.md5(identifier.strip().lower().encode(), usedforsecurity=False).hexdigest()

    def send(self, changes: Sequence[Change]) -> list[Outcome]:
        if changes[0].kind == "erase":
            return one_by_one(self._erase, changes, CONNECTIONS)
        if changes[0].kind == "remove":
            return self._tag(changes, "remove")
        outcomes = self._upsert_all(changes)
        known = [outcome.change for outcome in outcomes if outcome.state == ACKNOWLEDGED]
        told = {outcome.change.identifier_hash: outcome for outcome in outcomes}
        for outcome in self._tag(known, "add"):
            before = told[outcome.change.identifier_hash]
            told[outcome.change.identifier_hash] = before if outcome.state == ACKNOWLEDGED else outcome
        return list(told.values())

    def close(self) -> None:
        self._client.close()

    # --- members -----------------------------------------------------------------------------------------------------

    def _upsert_all(self, changes: Sequence[Change]) -> list[Outcome]:
        try:
            opted_out = self._read_opted_out()
        except Later as later:
            return all_pending(changes, later)
        outcomes = []
        asked = []
        for change in changes:
            reason = opted_out.get(change.identifier_hash)
            if reason:
                outcomes.append(Outcome(change, SUPPRESSED, reason))
            else:
                asked.append(change)
        return outcomes + (self._upsert(asked) if asked else [])

    def _read_opted_out(self) -> dict[str, str]:
        """Who has left the audience or bounced, by hashed address: they are not to be touched. Read once a run."""
        if self._opted_out is None:
            found = {}
            for status, reason in _OPTED_OUT.items():
                for member in self._pages(f"{self._list}/members", "members", {"status": status}):
                    found[hash_identifier(str(member.get("email_address")))] = reason
            self._opted_out = found
        return self._opted_out

    def _upsert(self, changes: Sequence[Change]) -> list[Outcome]:
        members = [self._member(change) for change in changes]
        body = {"members": members, "update_existing": True, "sync_tags": False}
        params = {"skip_merge_validation": "true", "skip_duplicate_check": "true"}
        try:
            answer = self._client.request("POST", self._list, body, params=params)
        except Later as later:
            return all_pending(changes, later)
        if not answer.is_success:
            if len(changes) == 1:
                return one_by_one(self._upsert_one, changes, 1)
            return [outcome for part in halved(changes) for outcome in self._upsert(part)]
        said = self._said(answer)
        open_ = [change for change in changes if change.identifier not in said]
        settled = [_outcome(change, *said[change.identifier]) for change in changes if change.identifier in said]
        return settled + one_by_one(self._upsert_one, open_, CONNECTIONS)

    def _said(self, answer: Answer) -> dict[str | None, tuple[str, str | None]]:
        """By address what is definite: 200 is the answer even if all failed, and says nothing of some."""
        said: dict[str | None, tuple[str, str | None]] = {}
        for member in [*_objects(answer.get("new_members")), *_objects(answer.get("updated_members"))]:
            said[_address(member)] = _standing(member)
        for error in _objects(answer.get("errors")):
            text = str(error.get("error") or "")
            definite = _classified(text)
            if definite is not None and not error.get("field"):
                said[_address(error)] = definite
            else:
                said.pop(_address(error), None)
        return said

    def _upsert_one(self, change: Change) -> Outcome:
        path, body = f"{self._list}/members/{self._id(change)}", self._member(change)
        left_out: list[str] = []
        while True:
            answer = self._client.request("PUT", path, body, params={"skip_merge_validation": "true"})
            if answer.is_success:
                state, reason = _standing(answer.body or {})
                return _outcome(change, state, reason or _without(left_out), self._id(change))
            wrong = [str(error.get("field")) for error in _objects(answer.get("errors"))]
            fields = [name for name in wrong if name in body["merge_fields"]]
            if not fields:
                return _outcome(change, *_refusal(answer))
            left_out += fields
            body["merge_fields"] = {n: v for n, v in body["merge_fields"].items() if n not in fields}

    def _member(self, change: Change) -> dict[str, Any]:
        fields = {name: merge_value(value) for name, value in change.fields.items()}
        return {
            "email_address": change.identifier,
            "status_if_new": self._status_if_new,
            "merge_fields": fields,
        }

    def _id(self, change: Change) -> str:
        return change.record_id or self.record_id(change.identifier or "")

    def _erase(self, change: Change) -> Outcome:
        path = f"{self._list}/members/{self._id(change)}/actions/delete-permanent"
        answer = self._client.request("POST", path)
        if answer.is_success or answer.status in _GONE:
            return Outcome(change, ACKNOWLEDGED)
        return Outcome(change, PENDING, _words(answer))

    # --- tags --------------------------------------------------------------------------------------------------------

    def _tag(self, changes: Sequence[Change], verb: str) -> list[Outcome]:
        """Puts tags on or takes them off; what the call for many does not confirm is asked for one by one."""
        open_: dict[str, Change] = {change.identifier_hash: change for change in changes if change.segments}
        done = [Outcome(change, ACKNOWLEDGED) for change in changes if not change.segments]
        try:
            unconfirmed = self._tag_many(list(open_.values()), verb)
        except Later as later:
            return done + all_pending(list(open_.values()), later)
        done += [Outcome(change, ACKNOWLEDGED) for hash_, change in open_.items() if hash_ not in unconfirmed]
        rest = [open_[hash_] for hash_ in unconfirmed]
        return done + one_by_one(lambda change: self._tag_one(change, verb, unconfirmed), rest, CONNECTIONS)

    def _tag_many(self, changes: Sequence[Change], verb: str) -> dict[str, set[str]]:
        """Segments that are still to be confirmed, by hashed identifier."""
        unconfirmed: dict[str, set[str]] = {}
        for segment in sorted({segment for change in changes for segment in change.segments}):
            of_segment = [change for change in changes if segment in change.segments]
            known = [change for change in of_segment if change.identifier and self._bulk_tags]
            confirmed = self._tag_call(segment, known, verb) if known else set()
            for change in of_segment:
                if change.identifier not in confirmed:
                    unconfirmed.setdefault(change.identifier_hash, set()).add(segment)
        return unconfirmed

    def _tag_call(self, segment: str, changes: Sequence[Change], verb: str) -> set[str | None]:
        """The addresses that the tag is confirmed to have, or to have no longer."""
        tag = self._tag_id(segment, create=verb == "add")
        addresses = [str(change.identifier) for change in changes]
        if tag is None:
            return set(addresses) if verb == "remove" and self._tags is not None else set()
        lists = {"members_to_add": [], "members_to_remove": [], f"members_to_{verb}": addresses}
        answer = self._client.request("POST", f"{self._list}/segments/{tag}", lists)
        if not answer.is_success:
            if answer.status in _GONE:
                self._tags = None  # somebody removed the tag meanwhile
            return set()
        wrong = {
            str(address).lower()
            for error in _objects(answer.get("errors"))
            for address in error.get("email_addresses") or ()
        }
        if verb == "remove":
            return {address for address in addresses if address not in wrong}
        added = {_address(member) for member in _objects(answer.get("members_added"))}
        return {address for address in addresses if address in added and address not in wrong}

    def _tag_one(self, change: Change, verb: str, segments: Mapping[str, set[str]]) -> Outcome:
        status = "active" if verb == "add" else "inactive"
        tags = [{"name": segment, "status": status} for segment in sorted(segments[change.identifier_hash])]
        body: dict[str, Any] = {"tags": tags}
        if not self._bulk_tags:
            body["is_syncing"] = True
        answer = self._client.request("POST", f"{self._list}/members/{self._id(change)}/tags", body)
        if answer.is_success or (verb == "remove" and answer.status in _GONE):
            return Outcome(change, ACKNOWLEDGED)
        if verb == "add" and answer.status in _GONE:
            return Outcome(change, PENDING, "the member is not in the audience")
        state, reason = _refusal(answer)
        return _outcome(change, PENDING if verb == "remove" else state, reason)

    def _tag_id(self, name: str, *, create: bool) -> int | None:
        """Tags are one whatever their case: Mailchimp changes it."""
        if self._tags is None:
            pages = self._pages(f"{self._list}/segments", "segments", {})
            self._tags = {str(one["name"]).casefold(): one["id"] for one in pages if one.get("type") == "static"}
        if name.casefold() not in self._tags and create:
            answer = self._client.request("POST", f"{self._list}/segments", {"name": name, "static_segment": []})
            if answer.is_success and isinstance(answer.get("id"), int):
                self._tags[name.casefold()] = answer.get("id")
        return self._tags.get(name.casefold())

    def read_back(self, segments: Sequence[str]) -> dict[str, dict[str, str]] | None:
        self._tags = None
        found: dict[str, dict[str, str]] = {}
        for segment in segments:
            tag = self._tag_id(segment, create=False)
            path = f"{self._list}/segments/{tag}/members"
            members = self._pages(path, "members", {"include_unsubscribed": "true"}) if tag is not None else ()
            addresses = [_address(member) for member in members]
            found[segment] = {hash_identifier(address): address for address in addresses}
        return found

    def _pages(self, path: str, name: str, params: Mapping[str, str]) -> Iterator[dict[str, Any]]:
        offset = 0
        while True:
            page = {**params, "count": str(PAGE), "offset": str(offset)}
            answer = self._client.request("GET", path, params=page)
            if not answer.is_success:
                if answer.status in _GONE:
                    return
                raise Later(f"{name} cannot be read: {_words(answer)}")
            items = _objects(answer.get(name))
            yield from items
            offset += len(items)
            if len(items) < PAGE or offset >= answer.get("total_items", offset + 1):
                return


def merge_value(value: Any) -> Any:
    """A value as a merge field takes it: nothing is the empty text, and texts have 255 bytes.

    >>> merge_value(None), merge_value(True), merge_value(["a", "b"]), merge_value("2026-06-30T12:00:00Z")
    ('', 'true', 'a, b', '2026-06-30')
    """
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return value
    text = ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
    if len(text) >= 20 and text[4:5] + text[7:8] + text[10:11] == "--T" and text.endswith("Z"):
        return text[:10]
    return text.encode()[:LONGEST_TEXT_BYTES].decode(errors="ignore")


def _objects(value: Any) -> list[dict[str, Any]]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def _address(member: Mapping[str, Any]) -> str:
    return str(member.get("email_address") or "").strip().lower()


def _standing(member: Mapping[str, Any]) -> tuple[str, str | None]:
    reason = _OPTED_OUT.get(str(member.get("status")))
    return (SUPPRESSED, reason) if reason else (ACKNOWLEDGED, None)


def _classified(text: str) -> tuple[str, str | None] | None:
    lower = text.lower()
    if _TOO_SOON in lower:
        return PENDING, "has signed up to a lot of lists very recently"
    for words, reason in _SUPPRESSED:
        if words in lower:
            return SUPPRESSED, reason
    if "fake or invalid" in lower:
        return REFUSED, "the address looks fake or invalid"
    return None


def _refusal(answer: Answer) -> tuple[str, str | None]:
    definite = _classified(f"{answer.get('title', '')} {answer.get('detail', '')}")
    if definite is not None:
        return definite
    return (REFUSED if 400 <= answer.status < 500 else PENDING), _words(answer)


def _words(answer: Answer) -> str:
    """Never the detail: it quotes the address."""
    title = answer.get("title")
    return f"status {answer.status}" + (f": {title}" if isinstance(title, str) and "@" not in title else "")


def _without(fields: list[str]) -> str | None:
    return f"without {', '.join(fields)}: invalid" if fields else None


def _outcome(change: Change, state: str, reason: str | None, record_id: str = "") -> Outcome:
    return Outcome(change, state, reason, record_id)  # type: ignore[arg-type]
