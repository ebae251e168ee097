"""The tracking plan: which track events there are, what their properties look like, and how a message is validated.

The shipped plan is `schemas/events/`; a user's directory adds to it and overrides it by name (docs/events.md).
Parsing (`transforms/parse`) validates messages by it, the rule checker asks it for names.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, Final

import jsonschema_rs
import orjson

from schemas.errors import Problem, SchemaErrors
from schemas.tracking_plan_files import Schema, SchemaFile, as_list, json_pointer, read_schema_files, reference_problems

EVENT_TYPES: Final = ("track", "identify", "page", "screen", "group", "alias", "delete", "retract")

_HERE = Path(__file__).parent
# Addresses for `$ref` only: `.invalid` is nobody's domain, and nothing is ever fetched.
_SHIPPED_URI = "https://tidemark.invalid/events/"
_USER_URI = "https://tidemark.invalid/yours/"
_ENVELOPE_URI = "https://tidemark.invalid/envelope.json"
_TRAITS_FILE = "_traits.json"
# Stands for the value in the validator's own messages: a failed event's errors hold no personal data.
_MASK = "the value"
# Keywords whose errors are about the object, and name those of its members that should not be there.
_NAMES_THE_WRONG = frozenset(("additionalProperties", "unevaluatedProperties"))


@dataclass(frozen=True)
class TrackingPlan:
    """Schemas by track event name, and the names that rules may use. Pickles; validators are compiled where it is used.

    Attributes:
        events: the URI of each track event's schema, by the event's name.
        resources: every schema file by URI, the envelope included.
        traits: the profile traits that the plan names; `address.city` is the city in the trait `address`.
    """

    events: dict[str, str]
    resources: dict[str, Schema]
    traits: frozenset[str]
    _validators: dict[tuple[str | None, str | None], MessageValidator] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )

    def __getstate__(self) -> dict[str, Any]:
        return {"events": self.events, "resources": self.resources, "traits": self.traits}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state, _validators={})

    def event_names(self) -> frozenset[str]:
        """The track events that have a schema."""
        return frozenset(self.events)

    def trait_names(self) -> frozenset[str]:
        return self.traits

    def properties_of(self, name: str) -> dict[str, str] | None:
        """The properties that the schema of a track event names, with their JSON types; None for an unplanned event.

        Paths are those of the rule language: `products.$.price`. Types are JSON's names without null, sorted and
        joined by `|` (`number|string`); `any` where the schema says none.
        """
        if name not in self.events:
            return None
        uri = self.events[name]
        schema = jsonschema_rs.dereference(
            self.resources[uri], registry=self.registry(), draft=jsonschema_rs.Draft202012, base_uri=uri, offline=True
        )
        return dict(sorted(_paths_of(schema)))

    def validator(self, event_type: str | None, name: str | None = None) -> MessageValidator:
        """Validates a whole message of this type, and its properties if it is a track event with a schema.

        Args:
            event_type: one of EVENT_TYPES; None for a message whose type is none of them.
            name: the `event` of a track message.

        Raises:
            SchemaErrors: a schema refers to one that does not exist.
        """
        key = (event_type, name if event_type == "track" and name in self.events else None)
        found = self._validators.get(key)
        if found is None:
            found = self._validators[key] = MessageValidator(self.message_schema(*key), self.registry())
        return found

    def message_schema(self, event_type: str | None, name: str | None) -> Schema:
        """What a whole message must be; its references are URIs of `resources`. Arguments as of `validator`."""
        envelope: Schema = {"$ref": f"{_ENVELOPE_URI}#/$defs/{event_type or 'message'}"}
        if name is None:
            return envelope
        properties = {"$ref": self.events[name]}
        if jsonschema_rs.Draft202012Validator(properties, registry=self.registry(), offline=True).is_valid({}):
            # Nothing is required: properties may be null or left out.
            return envelope | {"properties": {"properties": {"if": {"type": "object"}, "then": properties}}}
        return envelope | {"properties": {"properties": properties}, "required": ["properties"]}

    def registry(self) -> jsonschema_rs.Registry:
        """All `resources`, for the library."""
        return jsonschema_rs.Registry(list(self.resources.items()))


class MessageValidator:
    """A compiled schema. `is_valid(record)` takes well under a microsecond; `errors` says everything that is wrong."""

    __slots__ = ("_errors", "is_valid")

    def __init__(self, schema: Schema, registry: jsonschema_rs.Registry) -> None:
        compiled = jsonschema_rs.Draft202012Validator(schema, registry=registry, offline=True, mask=_MASK)
        self.is_valid: Callable[[Any], bool] = compiled.is_valid
        self._errors = compiled.iter_errors

    def errors(self, record: object) -> list[str]:
        """Every violation once, as `<JSON pointer>: <what was expected>`, sorted, without the offending values."""
        return sorted({_violation(error) for error in self._errors(record)})

    def wrong_properties(self, record: object) -> list[tuple[str | int, ...]] | None:
        """Paths inside `properties` of what would have to go for the record to be valid; () is all of them.

        None where something is wrong that leaving out does not mend, such as a field of the envelope.
        """
        paths: set[tuple[str | int, ...]] = set()
        for error in self._errors(record):
            path = tuple(error.instance_path)
            kind: Any = error.kind
            if path[:1] != ("properties",) or (len(path) == 1 and kind.name not in _NAMES_THE_WRONG | {"type"}):
                return None
            if kind.name in _NAMES_THE_WRONG:
                paths.update((*path[1:], name) for name in kind.unexpected)
            else:
                paths.add(path[1:])
        return sorted(paths, key=str)


def load_tracking_plan(directory: str | Path | None = None) -> TrackingPlan:
    """The shipped plan, with the user's directory of schema files on top, if there is one.

    Raises:
        SchemaErrors: with everything that is wrong with all the user's files.
    """
    plan = _shipped_plan()
    if directory is None:
        return plan
    files, problems = read_schema_files(Path(directory), _USER_URI)
    plan, more = _extend(plan, files)
    problems += more
    problems += reference_problems(files, plan.resources)
    if not problems:
        problems += _uncompilable(plan, files)
    if problems:
        raise SchemaErrors(problems)
    return plan


@cache
def _shipped_plan() -> TrackingPlan:
    files, problems = read_schema_files(_HERE / "events", _SHIPPED_URI, shipped=True)
    envelope = orjson.loads((_HERE / "envelope.json").read_bytes())
    plan, more = _extend(TrackingPlan({}, {_ENVELOPE_URI: envelope}, frozenset()), files)
    if problems + more:
        raise SchemaErrors(problems + more)
    return plan


def _extend(plan: TrackingPlan, files: list[SchemaFile]) -> tuple[TrackingPlan, list[Problem]]:
    """Adds files to a plan: an event of the same name is replaced as a whole, traits are added."""
    added: dict[str, SchemaFile] = {}
    problems: list[Problem] = []
    for file in files:
        title = file.schema.get("title")
        if not file.is_event or not isinstance(title, str):
            continue
        if title in added:
            problems.append(file.problem(f"{title!r} has a schema already, in {added[title].path}", ["title"]))
        added[title] = file
    traits = {path for file in files if file.path.name == _TRAITS_FILE for path, _ in _paths_of(file.schema)}
    extended = TrackingPlan(
        plan.events | {title: file.uri for title, file in added.items()},
        plan.resources | {file.uri: file.schema for file in files},
        plan.traits | traits,
    )
    return extended, problems


def _uncompilable(plan: TrackingPlan, files: list[SchemaFile]) -> Iterator[Problem]:
    """What only compiling finds, such as an anchor that does not exist."""
    for file in files:
        try:
            registry = jsonschema_rs.Registry(list(plan.resources.items()))
            jsonschema_rs.Draft202012Validator({"$ref": file.uri}, registry=registry, offline=True)
        except ValueError as error:
            yield file.problem(str(error).partition("\n")[0])


def _paths_of(schema: object, prefix: str = "") -> Iterator[tuple[str, str]]:
    """The property paths that a schema without references names, each with its types."""
    if not isinstance(schema, dict):
        return
    for part in schema.get("allOf", ()):
        yield from _paths_of(part, prefix)
    for name, child in schema.get("properties", {}).items():
        yield prefix + name, _types_of(child)
        yield from _paths_of(child, f"{prefix}{name}.")
    yield from _paths_of(schema.get("items"), f"{prefix}$.")


def _types_of(schema: object) -> str:
    types = as_list(schema.get("type", [])) if isinstance(schema, dict) else []
    names = {"number" if name == "integer" else str(name) for name in types} - {"null"}
    return "|".join(sorted(names)) or "any"


def _violation(error: jsonschema_rs.ValidationError) -> str:
    path = list(error.instance_path)
    kind: Any = error.kind
    match kind.name:
        case "required":
            return f"{json_pointer([*path, kind.property])}: is required"
        case "type":
            expected = _one_of(sorted(kind.types, key=lambda name: (name == "null", name)))
        case "enum":
            expected = _one_of([orjson.dumps(option).decode() for option in kind.options])
        case "const":
            expected = orjson.dumps(kind.expected_value).decode()
        case "pattern":
            expected = f"text that matches {kind.pattern}"
        case "minLength":
            expected = f"text of at least {kind.limit} characters"
        case _:
            return f"{json_pointer(path)}: {error.message}"
    return f"{json_pointer(path)}: expected {expected}"


def _one_of(names: list[str]) -> str:
    return ", ".join(names[:-1]) + " or " + names[-1] if len(names) > 1 else "".join(names)
