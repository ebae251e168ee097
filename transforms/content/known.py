"""Which values a person has, by the tables' own columns, the definitions and the traits that were seen."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass

from schemas.errors import Problem
from schemas.tables import PROFILES
from transforms.content.block import Body, Field, fields_of
from transforms.segments.language.errors import SourceFile, closest

_KINDS = {"INTEGER": "number", "FLOAT": "number", "BOOLEAN": "boolean", "JSON": "json"}
_NOT_TRAITS = {"traits", "computed", "segments", "version", "recorded_at", "merged_into"}
COLUMNS = {
    column.name: "list" if column.repeated else _KINDS.get(column.type, "text")
    for column in PROFILES.columns
    if column.name not in _NOT_TRAITS
}
"""The typed columns of a profile that a block may show, and the kind of their values."""


def kind_of(field: Field) -> str:
    """`text`, `number`, `boolean` or `list` for a typed column; a trait's or a computed trait's kind is `unknown`."""
    return COLUMNS.get(field.name, "unknown") if field.root == "profile" else "unknown"


@dataclass(frozen=True, slots=True)
class Known:
    """The names that exist beside the typed columns; None: that is not known, and every name may be right."""

    traits: Collection[str] | None
    computed: Collection[str] | None
    segments: Collection[str] | None

    def of(self, root: str) -> Collection[str] | None:
        """The names below `profile`, `computed` or `segments`."""
        if root == "profile":
            return None if self.traits is None else sorted({*COLUMNS, *self.traits})
        return self.computed if root == "computed" else self.segments


def unknown_names(body: Body, known: Known, source: SourceFile) -> Iterable[Problem]:
    """A problem for every trait, computed trait and segment that a block names and that does not exist."""
    words = {"profile": "trait", "computed": "computed trait", "segments": "segment"}
    for field in fields_of(body):
        names = known.of(field.root)
        # A trait inside a trait, `profile.address.city`, is known by its first step.
        if names is None or field.name in names or (field.root == "profile" and field.name.split(".")[0] in names):
            continue
        place = source.position(field.at)
        yield source.problem(place, f"there is no {words[field.root]} {field.name!r}", "", closest(field.name, names))
