"""A made-up HubSpot: contacts, static lists, opt-outs and a block list."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from services.vendors.vendor import Asked, Operation, Vendor

_TEXTS = {"type": "object", "additionalProperties": {"type": "string"}}
_UPSERT = {
    "type": "object",
    "required": ["inputs"],
    "properties": {
        "inputs": {
            "type": "array",
            "maxItems": 100,
            "items": {
                "type": "object",
                "required": ["id", "properties"],
                "properties": {
                    "id": {"type": "string"},
                    "idProperty": {"const": "email"},
                    "properties": _TEXTS,
                    "objectWriteTraceId": {"type": "string"},
                },
                "additionalProperties": False,
            },
        }
    },
    "additionalProperties": False,
}
_READ = {
    "type": "object",
    "required": ["inputs", "properties", "propertiesWithHistory"],
    "properties": {"inputs": {"type": "array", "maxItems": 100}, "idProperty": {"const": "email"}},
}
_ADDRESSES = {"type": "object", "required": ["inputs"], "properties": {"inputs": {"items": {"type": "string"}}}}
_GDPR = {
    "type": "object",
    "required": ["objectId"],
    "properties": {"objectId": {"type": "string"}, "idProperty": {"const": "email"}},
    "additionalProperties": False,
}
_LIST = {
    "type": "object",
    "required": ["name", "objectTypeId", "processingType"],
    "properties": {"objectTypeId": {"const": "0-1"}, "processingType": {"enum": ["MANUAL", "SNAPSHOT", "DYNAMIC"]}},
}
_IDS = {"type": "array", "items": {"type": "string", "pattern": "^[0-9]+$"}}


@dataclass(slots=True)
class Contact:
    """One contact."""

    record_id: str
    email: str
    properties: dict[str, str] = field(default_factory=dict)

    def shown(self) -> dict[str, Any]:
        """As the API shows it."""
        return {"id": self.record_id, "properties": {**self.properties, "email": self.email}, "archived": False}


class HubSpot(Vendor):
    """One account.

    Attributes:
        contacts: by record id.
        lists: record ids by list id; `names` are the lists' ids by name.
        opted_out: addresses that opted out of all e-mail.
        refused: addresses that are refused within a batch (207).
        wrong_properties: names of properties that there are not: they spoil a batch.
        blocked: addresses that were deleted for good.
        touched: addresses that a request has written.
        silent: of how many upserts nothing is done, though success is answered.
    """

    def __init__(self) -> None:
        self.contacts: dict[str, Contact] = {}
        self.lists: dict[str, set[str]] = {}
        self.names: dict[str, str] = {}
        self.opted_out: set[str] = set()
        self.refused: set[str] = set()
        self.wrong_properties: set[str] = set()
        self.spoilers: set[str] = set()
        self.blocked: set[str] = set()
        self.touched: set[str] = set()
        self.silent = 0
        super().__init__()

    def make_operations(self) -> list[Operation]:
        contacts, lists = "/crm/v3/objects/contacts", "/crm/v3/lists"
        opt_outs = "/communication-preferences/v4/statuses/batch/unsubscribe-all/read"
        return [
            Operation("POST", f"{contacts}/batch/upsert", self._upsert, _UPSERT),
            Operation("POST", f"{contacts}/batch/read", self._read, _READ, ("archived",)),
            Operation("POST", f"{contacts}/gdpr-delete", self._forget, _GDPR),
            Operation("GET", contacts, self._all, None, ("limit", "after", "properties")),
            Operation("POST", opt_outs, self._opt_outs, _ADDRESSES, ("channel", "businessUnitId")),
            Operation("POST", lists, self._make_list, _LIST),
            Operation("GET", f"{lists}/object-type-id/0-1/name/{{name}}", self._find_list),
            Operation("PUT", f"{lists}/{{list}}/memberships/add", self._add, _IDS),
            Operation("PUT", f"{lists}/{{list}}/memberships/remove", self._remove, _IDS),
            Operation("GET", f"{lists}/{{list}}/memberships", self._members, None, ("limit", "after")),
        ]

    def listed(self, name: str) -> set[str]:
        """The addresses in a list."""
        ids = self.lists.get(self.names.get(name, ""), set())
        return {self.contacts[record_id].email for record_id in ids if record_id in self.contacts}

    def refuse(self, asked: Asked) -> tuple[int, Any] | None:
        return None if asked.headers.get("authorization", "").startswith("Bearer ") else self.error(401, "no token")

    def _upsert(self, asked: Asked) -> tuple[int, Any]:
        inputs = asked.body["inputs"]
        ids = [one["id"] for one in inputs]
        names = {name for one in inputs for name in one["properties"]}
        if len(set(ids)) < len(ids) or names & self.wrong_properties or set(ids) & self.spoilers:
            return 400, {"status": "error", "category": "VALIDATION_ERROR", "message": "a property is wrong"}
        if self.silent:
            self.silent -= 1
            return 200, {"status": "COMPLETE", "results": [], "errors": []}
        results, errors = [], []
        for one in inputs:
            trace = one.get("objectWriteTraceId")
            self.touched.add(one["id"])
            if one["id"] in self.refused or one["id"] in self.blocked:
                error = {"status": "error", "category": "VALIDATION_ERROR", "message": "refused"}
                errors.append(error | {"context": {"objectWriteTraceId": [trace]}})
                continue
            contact = self._contact(one["id"])
            contact.properties |= one["properties"]
            results.append(contact.shown() | {"objectWriteTraceId": trace, "new": False})
        body = {"status": "COMPLETE", "results": results[::-1], "errors": errors, "numErrors": len(errors)}
        return (207 if errors else 200), body

    def _contact(self, email: str) -> Contact:
        for contact in self.contacts.values():
            if contact.email == email:
                return contact
        contact = Contact(str(100 + len(self.contacts) + len(self.blocked)), email)
        self.contacts[contact.record_id] = contact
        return contact

    def _read(self, asked: Asked) -> tuple[int, Any]:
        wanted = {one["id"] for one in asked.body["inputs"]}
        by_email = asked.body.get("idProperty") == "email"
        found = [c for c in self.contacts.values() if (c.email if by_email else c.record_id) in wanted]
        return 200, {"status": "COMPLETE", "results": [contact.shown() for contact in found]}

    def _all(self, asked: Asked) -> tuple[int, Any]:
        return 200, self._page(asked, [contact.shown() for contact in self.contacts.values()])

    def _forget(self, asked: Asked) -> tuple[int, Any]:
        key, by_email = asked.body["objectId"], asked.body.get("idProperty") == "email"
        for record_id, contact in list(self.contacts.items()):
            if key == (contact.email if by_email else record_id):
                del self.contacts[record_id]
                self.blocked.add(contact.email)
                for ids in self.lists.values():
                    ids.discard(record_id)
                return 204, None
        if by_email:
            self.blocked.add(key)
            return 204, None
        return self.error(404, "not found")

    def _opt_outs(self, asked: Asked) -> tuple[int, Any]:
        results = [
            {"subscriberIdString": email, "wideStatuses": [{"status": "UNSUBSCRIBED", "channel": "EMAIL"}]}
            for email in asked.body["inputs"]
            if email in self.opted_out
        ]
        return 200, {"status": "COMPLETE", "results": results}

    def _make_list(self, asked: Asked) -> tuple[int, Any]:
        name = asked.body["name"]
        if name in self.names:
            return 400, {"status": "error", "category": "VALIDATION_ERROR", "message": "the name is taken"}
        self.names[name] = str(1 + len(self.names))
        self.lists[self.names[name]] = set()
        return 200, {"list": {"listId": self.names[name], "name": name}}

    def _find_list(self, asked: Asked) -> tuple[int, Any]:
        name = asked.parts["name"]
        if name not in self.names:
            return self.error(404, "not found")
        return 200, {"list": {"listId": self.names[name], "name": name}}

    def _add(self, asked: Asked) -> tuple[int, Any]:
        members = self.lists.get(asked.parts["list"])
        if members is None:
            return self.error(404, "not found")
        known = [one for one in asked.body if one in self.contacts]
        members.update(known)
        missing = [one for one in asked.body if one not in self.contacts]
        return 200, {"recordsIdsAdded": known, "recordIdsRemoved": [], "recordIdsMissing": missing}

    def _remove(self, asked: Asked) -> tuple[int, Any]:
        members = self.lists.get(asked.parts["list"])
        if members is None:
            return self.error(404, "not found")
        members.difference_update(asked.body)
        return 200, {"recordsIdsAdded": [], "recordIdsRemoved": asked.body, "recordIdsMissing": []}

    def _members(self, asked: Asked) -> tuple[int, Any]:
        members = self.lists.get(asked.parts["list"])
        if members is None:
            return self.error(404, "not found")
        return 200, self._page(asked, [{"recordId": one, "membershipTimestamp": ""} for one in sorted(members)])

    def _page(self, asked: Asked, items: list[Any]) -> dict[str, Any]:
        start, count = int(asked.query.get("after", 0)), int(asked.query.get("limit", 100))
        page: dict[str, Any] = {"results": items[start : start + count]}
        if start + count < len(items):
            page["paging"] = {"next": {"after": str(start + count)}}
        return page
