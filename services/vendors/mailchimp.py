"""A made-up Mailchimp: one audience with members, tags (static segments), statuses and compliance states."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import Any

from services.vendors.vendor import Asked, Operation, Vendor

_MERGE = {"type": "object", "additionalProperties": {"type": ["string", "number"]}}
_STATUS = {"enum": ["subscribed", "unsubscribed", "cleaned", "pending", "transactional"]}
_MEMBER = {
    "type": "object",
    "required": ["email_address"],
    "properties": {
        "email_address": {"type": "string", "pattern": "@"},
        "status": _STATUS,
        "status_if_new": _STATUS,
        "merge_fields": _MERGE,
    },
    "anyOf": [{"required": ["status"]}, {"required": ["status_if_new"]}],
    "additionalProperties": False,
}
_BATCH = {
    "type": "object",
    "required": ["members"],
    "properties": {
        "members": {"type": "array", "maxItems": 500, "items": _MEMBER},
        "update_existing": {"type": "boolean"},
        "sync_tags": {"type": "boolean"},
    },
    "additionalProperties": False,
}
_TAGS = {
    "type": "object",
    "required": ["tags"],
    "properties": {
        "tags": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["name", "status"],
                "properties": {"name": {"type": "string"}, "status": {"enum": ["active", "inactive"]}},
            },
        },
        "is_syncing": {"type": "boolean"},
    },
    "additionalProperties": False,
}
_ADDRESSES = {"type": "array", "maxItems": 500, "items": {"type": "string"}}
_SEGMENT_CHANGE = {
    "type": "object",
    "properties": {"members_to_add": _ADDRESSES, "members_to_remove": _ADDRESSES},
    "additionalProperties": False,
}
_SEGMENT = {
    "type": "object",
    "required": ["name"],
    "properties": {"name": {"type": "string"}, "static_segment": _ADDRESSES},
    "additionalProperties": False,
}


@dataclass(slots=True)
class Member:
    """One contact of the audience."""

    email: str
    status: str
    merge_fields: dict[str, Any] = field(default_factory=dict)
    tags: set[str] = field(default_factory=set)

    def shown(self) -> dict[str, Any]:
        """As the API shows it."""
        return {
            "id": hash_of(self.email),
            "email_address": self.email,
            "status": self.status,
            "merge_fields": self.merge_fields,
        }


def hash_of(email: str) -> str:
    """A member's id."""
    return hashlib.md5(email.strip().lower().encode(), usedforsecurity=False).hexdigest()


class Mailchimp(Vendor):
    """One audience.

    Attributes:
        members: by id.
        tags: ids by name, in the case in which they are kept.
        forgotten: ids of members who were deleted for good.
        fakes: addresses that "look fake".
        wrong_fields: merge fields that the audience does not take.
        touched: addresses that a request has written, or wanted to.
    """

    def __init__(self, audience: str = "abc123") -> None:
        self.audience = audience
        self.members: dict[str, Member] = {}
        self.tags: dict[str, int] = {}
        self.forgotten: set[str] = set()
        self.fakes: set[str] = set()
        self.wrong_fields: set[str] = set()
        self.touched: set[str] = set()
        super().__init__()

    def make_operations(self) -> list[Operation]:
        place = f"/3.0/lists/{self.audience}"
        batch = ("skip_merge_validation", "skip_duplicate_check")
        pages = ("count", "offset", "status", "include_unsubscribed", "include_cleaned", "type", "fields")
        return [
            Operation("POST", place, self._batch, _BATCH, batch),
            Operation("GET", f"{place}/members", self._list_members, None, pages),
            Operation("PUT", f"{place}/members/{{id}}", self._put, _MEMBER, ("skip_merge_validation",)),
            Operation("POST", f"{place}/members/{{id}}/tags", self._set_tags, _TAGS),
            Operation("POST", f"{place}/members/{{id}}/actions/delete-permanent", self._forget),
            Operation("GET", f"{place}/segments", self._list_segments, None, pages),
            Operation("POST", f"{place}/segments", self._make_segment, _SEGMENT),
            Operation("POST", f"{place}/segments/{{tag}}", self._change_segment, _SEGMENT_CHANGE),
            Operation("GET", f"{place}/segments/{{tag}}/members", self._segment_members, None, pages),
        ]

    def tagged(self, name: str) -> set[str]:
        """The addresses that have a tag."""
        return {member.email for member in self.members.values() if name.casefold() in member.tags}

    def refuse(self, asked: Asked) -> tuple[int, Any] | None:
        return None if "authorization" in asked.headers else self.error(401, "API Key Invalid")

    # --- members -----------------------------------------------------------------------------------------------------

    def _batch(self, asked: Asked) -> tuple[int, Any]:
        found: dict[str, list[Any]] = {"new_members": [], "updated_members": [], "errors": []}
        for given in asked.body["members"]:
            known = hash_of(given["email_address"]) in self.members
            status, answer = self._write(given)
            if status == 200:
                found["updated_members" if known else "new_members"].append(answer)
            else:
                error = {"email_address": given["email_address"], "error": answer["detail"]}
                wrong = (answer.get("errors") or [{}])[0]
                error |= {"error_code": "ERROR_GENERIC", "field": wrong.get("field", ""), "field_message": ""}
                found["errors"].append(error)
        return 200, found | {"error_count": len(found["errors"])}

    def _put(self, asked: Asked) -> tuple[int, Any]:
        return self._write(asked.body)

    def _write(self, given: dict[str, Any]) -> tuple[int, Any]:
        email = given["email_address"].lower()
        self.touched.add(email)
        if "status" in given:
            self.violations.append("status: subscribes again whoever left")
        member = self.members.get(hash_of(email))
        if hash_of(email) in self.forgotten:
            return self.error(400, "Forgotten Email Not Subscribed", f"{email} was permanently deleted")
        if email in self.fakes:
            return self.error(400, "Invalid Resource", f"{email} looks fake or invalid, please enter a real one.")
        wrong = [name for name in given.get("merge_fields", {}) if name in self.wrong_fields]
        if wrong:
            status, body = self.error(400, "Invalid Resource", "Your merge fields were invalid.")
            return status, body | {"errors": [{"field": name, "message": "invalid"} for name in wrong]}
        if member is None:
            member = self.members[hash_of(email)] = Member(email, given.get("status_if_new", "subscribed"))
        elif member.status == "compliance":
            return self.error(400, "Member In Compliance State", f"{email} is in a compliance state")
        member.merge_fields |= given.get("merge_fields", {})
        return 200, member.shown()

    def _list_members(self, asked: Asked) -> tuple[int, Any]:
        status = asked.query.get("status")
        found = [member.shown() for member in self.members.values() if status in (None, member.status)]
        return 200, self._page(asked, "members", found)

    def _forget(self, asked: Asked) -> tuple[int, Any]:
        if self.members.pop(asked.parts["id"], None) is None:
            return self.error(404, "Resource Not Found")
        self.forgotten.add(asked.parts["id"])
        return 204, None

    # --- tags --------------------------------------------------------------------------------------------------------

    def _set_tags(self, asked: Asked) -> tuple[int, Any]:
        member = self.members.get(asked.parts["id"])
        if member is None:
            return self.error(404, "Resource Not Found")
        for tag in asked.body["tags"]:
            self._tag_id(tag["name"])
            self._set(member, tag["name"].casefold(), tag["status"] == "active")
        return 204, None

    def _set(self, member: Member, name: str, active: bool) -> None:
        if active:
            self.touched.add(member.email)
            member.tags.add(name)
        else:
            member.tags.discard(name)

    def _tag_id(self, name: str) -> int:
        """Tags are one whatever their case, and are kept in another."""
        return self.tags.setdefault(name.casefold(), 1000 + len(self.tags))

    def _list_segments(self, asked: Asked) -> tuple[int, Any]:
        found = [{"id": tag, "name": name.title(), "type": "static"} for name, tag in self.tags.items()]
        return 200, self._page(asked, "segments", [{"id": 7, "name": "saved one", "type": "saved"}, *found])

    def _make_segment(self, asked: Asked) -> tuple[int, Any]:
        return 200, {"id": self._tag_id(asked.body["name"]), "name": asked.body["name"], "type": "static"}

    def _segment(self, asked: Asked) -> str | None:
        names = {str(tag): name for name, tag in self.tags.items()}
        return names.get(asked.parts["tag"])

    def _change_segment(self, asked: Asked) -> tuple[int, Any]:
        name = self._segment(asked)
        if name is None:
            return self.error(404, "Resource Not Found")
        changed: dict[str, list[Any]] = {"members_added": [], "members_removed": [], "errors": []}
        for key, active in (("members_to_add", True), ("members_to_remove", False)):
            for email in asked.body.get(key, []):
                member = self.members.get(hash_of(email))
                if member is not None and (name in member.tags) != active:
                    self._set(member, name, active)
                    changed["members_added" if active else "members_removed"].append(member.shown())
        return 200, changed | {"error_count": 0}

    def _segment_members(self, asked: Asked) -> tuple[int, Any]:
        name = self._segment(asked)
        if name is None:
            return self.error(404, "Resource Not Found")
        found = [member.shown() for member in self.members.values() if name in member.tags]
        return 200, self._page(asked, "members", found)

    def _page(self, asked: Asked, name: str, items: list[Any]) -> dict[str, Any]:
        offset, count = int(asked.query.get("offset", 0)), int(asked.query.get("count", 10))
        if count > 1000:
            self.violations.append("count: more than 1000")
        return {name: items[offset : offset + count], "total_items": len(items)}
