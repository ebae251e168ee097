"""Directories of YAML files -> everything that a job evaluates, checked, or every error of every file at once.

load_definitions("segments", "traits").definitions      all of them, for the job
load_segment_file("segments/vip.yaml").segment           one and what it refers to, for a preview
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from schemas.errors import DefinitionErrors, Problem
from transforms.segments.language import ast
from transforms.segments.language.check import check, never_true, type_of
from transforms.segments.language.definition_files import SUFFIXES, read_segment, read_trait
from transforms.segments.language.errors import SourceFile
from transforms.segments.language.fingerprint import with_version
from transforms.segments.language.kinds import Type
from transforms.segments.language.plan import TrackingPlan, check_against_plan
from transforms.segments.language.resolve import dependency_order, references, resolve_names, unknown_segments
from transforms.segments.language.yaml_source import read_source

MANY_SEGMENTS = 20
"""More than these dilute personalisation: a warning."""

Definition = ast.SegmentDefinition | ast.TraitDefinition


@dataclass(frozen=True, slots=True)
class LoadedDefinitions:
    """What was loaded, and what its authors may want to look at (one line each)."""

    definitions: ast.Definitions
    warnings: list[str]


@dataclass(frozen=True, slots=True)
class LoadedSegment:
    """One segment; `definitions` holds it and what it refers to, and nothing else."""

    segment: ast.SegmentDefinition
    definitions: ast.Definitions
    warnings: list[str]


def load_definitions(
    segments_dir: str | Path, traits_dir: str | Path | None = None, plan: TrackingPlan | None = None
) -> LoadedDefinitions:
    """Reads and checks every segment and computed trait.

    Args:
        segments_dir: a directory of YAML files, one segment each.
        traits_dir: a directory of YAML files, one computed trait each.
        plan: what is known of events and traits; names that it does not know become warnings.

    Raises:
        DefinitionErrors: every error of every file.
    """
    loading = _Loading(_files(segments_dir), _files(traits_dir) if traits_dir is not None else [])
    loading.resolve()
    if loading.problems:
        raise DefinitionErrors(loading.problems)
    definitions = loading.definitions()
    warnings = loading.warnings(plan)
    count = len(definitions.segments)
    if not count:
        warnings.append(f"{segments_dir}: there are no segments in this directory")
    elif count > MANY_SEGMENTS:
        warnings.append(f"{segments_dir}: {count} segments; more than {MANY_SEGMENTS} are hard to tell apart in use")
    return LoadedDefinitions(definitions, warnings)


def load_segment_file(
    path: str | Path, traits_dir: str | Path | None = None, plan: TrackingPlan | None = None
) -> LoadedSegment:
    """Reads and checks one segment and what it refers to, in its own directory and in `traits_dir`.

    Raises:
        DefinitionErrors: every error of the files that it needs.
    """
    path = Path(path)
    siblings = [other for other in _files(path.parent) if other.stem != path.stem]
    loading = _Loading([path, *siblings], _files(traits_dir) if traits_dir is not None else [])
    loading.resolve()
    needed = loading.needed_by(path.stem)
    loading.keep(needed)
    if loading.problems:
        raise DefinitionErrors(loading.problems)
    definitions = loading.definitions()
    segment = next(segment for segment in definitions.segments if segment.name == path.stem)
    return LoadedSegment(segment, definitions, loading.warnings(plan))


def _files(directory: str | Path) -> list[Path]:
    folder = Path(directory)
    if not folder.is_dir():
        raise DefinitionErrors([Problem(str(directory), ast.Position(), "there is no such directory")])
    try:
        return sorted(path for path in folder.iterdir() if path.name.lower().endswith(SUFFIXES) and not path.is_dir())
    except OSError as error:
        raise DefinitionErrors([Problem(str(directory), ast.Position(), f"cannot be read: {error.strerror}")]) from None


def _wrong_name(path: Path) -> str:
    """What is wrong with a file's name as that of a segment, which stands in tables, terminals and file names."""
    if not path.stem.isprintable():
        return "the file's name has characters that cannot be seen"
    if path.name.startswith(".") or ".." in path.name:
        return "a name cannot begin with a dot or have two in a row"
    if path.stem != path.stem.strip():
        return "a name cannot begin or end with a space"
    return ""


def _same_name(name: str) -> str:
    """The same for names that many file systems, and people, take for one."""
    return unicodedata.normalize("NFC", name).casefold()


class _Loading:
    """Definitions on their way from files to a checked, ordered whole. Names are unique across both kinds."""

    def __init__(self, segment_files: Iterable[Path], trait_files: Iterable[Path]) -> None:
        self.problems: list[Problem] = []
        self._sources: dict[str, SourceFile] = {}
        self._definitions: dict[str, Definition] = {}
        self._files: dict[str, Path] = {}
        self._taken: dict[str, Path] = {}
        self._types: dict[str, Type] = {}
        self._segments = self._read_all(segment_files, read_segment)
        self._traits = self._read_all(trait_files, read_trait)

    def _read_all(self, paths: Iterable[Path], read: Callable[[SourceFile], Definition]) -> list[str]:
        """Names of the files, also of those that are wrong: what refers to them is not wrong for it."""
        names = []
        for path in paths:
            taken = self._taken.setdefault(_same_name(path.stem), path)
            message = _wrong_name(path)
            if taken is not path:
                differs = "" if taken.stem == path.stem else ", which differs only in upper and lower case"
                message = f"the name '{path.stem}' is taken by {taken}{differs}"
            if message:
                self.problems.append(Problem(str(path), ast.Position(), message, expected="a file name of its own"))
                continue
            self._files[path.stem] = path
            names.append(path.stem)
            try:
                source = self._sources[path.stem] = read_source(path)
                self._definitions[path.stem] = read(source)
            except DefinitionErrors as errors:
                self.problems.extend(errors.problems)
        return names

    def resolve(self) -> None:
        """Resolves names, puts definitions in dependency order, checks types and sets versions."""
        for name, definition in self._definitions.items():
            self._definitions[name] = self._resolved(definition)
        order, cycles = dependency_order({name: self._references(name) for name in self._definitions})
        for cycle in cycles:
            self._report_cycle(cycle)
        ordered = order + [name for cycle in cycles for name in cycle]
        for name in ordered:
            self._check(name)
        self._definitions = {name: with_version(self._definitions[name]) for name in ordered}

    def _resolved(self, definition: Definition) -> Definition:
        segments, traits = self._names("segments", definition.of), self._names("traits", definition.of)
        inside = self._names("segments", "users"), self._names("traits", "users")
        if isinstance(definition, ast.TraitDefinition):
            return replace(definition, value=resolve_names(definition.value, segments, traits, inside))
        if definition.when is None:
            return definition
        return replace(definition, when=resolve_names(definition.when, segments, traits, inside))

    def _names(self, kind: Literal["segments", "traits"], of: ast.Subject) -> list[str]:
        """Names of files that are of people or of accounts; of those that are wrong it is not known."""
        names = self._segments if kind == "segments" else self._traits
        found = self._definitions
        return [name for name in names if name not in found or found[name].of == of]

    def _references(self, name: str) -> list[str]:
        tree = _tree(self._definitions[name])
        return [other for other in references(tree) if other in self._definitions] if tree is not None else []

    def _report_cycle(self, cycle: list[str]) -> None:
        tree = _tree(self._definitions[cycle[0]])
        if tree is not None:
            position = references(tree)[cycle[1 % len(cycle)]]
            message = f"definitions refer to each other in a circle: {' -> '.join([*cycle, cycle[0]])}"
            self.problems.append(self._sources[cycle[0]].problem(position, message))

    def _check(self, name: str) -> None:
        tree, source = _tree(self._definitions[name]), self._sources[name]
        if tree is None:
            return
        self.problems += check(tree, source, self._types, self._definitions[name].of)
        self.problems += unknown_segments(tree, self._segments, source)
        if isinstance(tree, ast.Scalar):
            self._types[name] = type_of(tree, self._types)

    def needed_by(self, name: str) -> set[str]:
        """The name and those that it refers to, directly or not."""
        needed, waiting = set(), [name]
        while waiting:
            current = waiting.pop()
            if current in needed:
                continue
            needed.add(current)
            definition = self._definitions.get(current)
            tree = None if definition is None else _tree(definition)
            waiting += [] if tree is None else references(tree)
        return needed

    def keep(self, names: set[str]) -> None:
        """Forgets the definitions that have other names, and what is wrong with them."""
        files = {str(path) for name, path in self._files.items() if name not in names}
        self.problems = [problem for problem in self.problems if problem.file not in files]
        self._definitions = {name: self._definitions[name] for name in self._definitions if name in names}

    def definitions(self) -> ast.Definitions:
        """In dependency order."""
        every = self._definitions.values()
        return ast.Definitions(
            tuple(definition for definition in every if isinstance(definition, ast.SegmentDefinition)),
            tuple(definition for definition in every if isinstance(definition, ast.TraitDefinition)),
        )

    def warnings(self, plan: TrackingPlan | None) -> list[str]:
        """In the order of files and lines."""
        found: list[Problem] = []
        for name, definition in self._definitions.items():
            tree, source = _tree(definition), self._sources[name]
            if tree is not None:
                found += never_true(tree, source, self._types)
                found += check_against_plan(tree, source, plan, definition.of) if plan is not None else []
            elif isinstance(definition, ast.SegmentDefinition) and not definition.members:
                found.append(source.problem(ast.Position(), "the list of members is empty"))
        return [problem.one_line() for problem in DefinitionErrors(found).problems]


def _tree(definition: Definition) -> ast.Condition | ast.Scalar | None:
    return definition.when if isinstance(definition, ast.SegmentDefinition) else definition.value
