"""The law in memory: generated worlds through F (transforms/whole.py) and through the brute-force reference."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import orjson

from schemas.tables import TABLES
from schemas.tracking_plan import load_tracking_plan
from tests.jobs.expected import comparable, expected_tables
from tests.jobs.job import Row
from tests.jobs.job import Tables as RowsByName
from tests.jobs.worlds import Settings
from tests.jobs.worlds import world as lines_of_a_world
from tests.reference.values import same
from tests.strategies import rules
from tests.strategies.choices import Choices, seeded
from tests.strategies.worlds import GRID_US
from transforms.parse import EventParser
from transforms.records import Record
from transforms.segments.language import ast
from transforms.whole import Parsed, Tables, parse_lines, tables_of

SOURCE = "events"
Difference = tuple[str, str, Row]
"""(table, side, row)."""


@cache
def parser() -> EventParser:
    """Takes the generated properties, which are of any type, as no schema does."""
    return EventParser(replace(load_tracking_plan(), events={}))


@dataclass(frozen=True)
class World:
    """What every side is given. `as_of` is not before any event: a stream knows no other."""

    lines: tuple[bytes, ...]
    definitions: ast.Definitions
    as_of: int
    stitch_window: int
    max_merges: int

    @property
    def parsed(self) -> Parsed:
        return parse_lines(self.lines, parser(), SOURCE)

    @property
    def records(self) -> tuple[Record, ...]:
        """Its events, copies and conflicts included."""
        return tuple(self.parsed.records)

    def without(self, index: int) -> World:
        return replace(self, lines=self.lines[:index] + self.lines[index + 1 :])


def world(choices: Choices, prefix: str = "w") -> World:
    """A world, made of choices."""
    lines = tuple(lines_of_a_world(choices, prefix, names={}))
    later = choices.pick((0, 0, 1, 3, 30)) * GRID_US
    definitions = _with_members(rules.with_accounts(choices, rules.definitions(choices)), [prefix])
    latest = max((record[1] for record in parse_lines(lines, parser(), SOURCE).records), default=0)
    return World(lines, definitions, latest + later, choices.number(0, 8) * GRID_US, choices.pick((100, 1, 2)))


def _with_members(definitions: ast.Definitions, prefixes: Sequence[str]) -> ast.Definitions:
    """Static lists name the users of the worlds."""
    segments = [
        segment
        if segment.members is None
        else replace(segment, members=frozenset(f"{one}-{user}" for one in prefixes for user in segment.members))
        for segment in definitions.segments
    ]
    return replace(definitions, segments=tuple(segments))


def seeded_world(seed: int) -> World:
    """The world of a seed."""
    return world(seeded(seed))


def united_worlds(seed: int, count: int) -> World:
    """Several worlds as one, people and message ids apart; rules and limits are shared."""
    choices = seeded(seed)
    prefixes = [f"w{number:02}" for number in range(count)]
    worlds = [world(choices, prefix) for prefix in prefixes]
    lines = tuple(line for one in worlds for line in one.lines)
    definitions = _with_members(rules.with_accounts(choices, rules.definitions(choices)), prefixes)
    return replace(worlds[0], lines=lines, definitions=definitions, as_of=max(one.as_of for one in worlds))


def whole(world: World) -> Tables:
    """The tables by F."""
    parsed = world.parsed
    return tables_of(
        parsed.records,
        world.definitions,
        world.as_of,
        failures=parsed.failures,
        stitch_window_us=world.stitch_window,
        max_merges=world.max_merges,
    )


def reference(world: World) -> RowsByName:
    """The tables by brute force."""
    settings = Settings(world.as_of, world.stitch_window, world.max_merges)
    return expected_tables(world.lines, world.definitions, settings, parser())


def by_name(tables: Tables) -> RowsByName:
    """Rows as the reference has them."""
    json = {column.name for table in TABLES for column in table.columns if column.type == "JSON"}
    found: RowsByName = {}
    for table in TABLES:
        names = table.column_names()
        rows = [dict(zip(names, row, strict=True)) for row in tables[table.name]]
        found[table.name] = [{name: _plain(value, name in json) for name, value in row.items()} for row in rows]
    return comparable(found)


def _plain(value: Any, is_json: bool) -> Any:
    return orjson.loads(value) if is_json and value is not None else value


def differing(expected: RowsByName, actual: RowsByName) -> list[Difference]:
    """Rows that only one side has, each with its table and side."""
    found = []
    for name, rows in expected.items():
        if not same(rows, actual[name]):
            found += [(name, "expected", row) for row in rows if not any(same(row, one) for one in actual[name])]
            found += [(name, "found", row) for row in actual[name] if not any(same(row, one) for one in rows)]
    return found


def in_order(lines: Iterable[bytes]) -> list[str]:
    """Lines as a story: by the first instant that they name."""
    return sorted(
        (line.decode(errors="replace") for line in lines), key=lambda line: (line.partition('":"20')[2], line)
    )


Wrong = Callable[[World], list[str]]
"""What is wrong of a world, in words; nothing where two witnesses of the law agree."""


def check(part: int, parts: int, total: int, wrong: Wrong) -> None:
    """Tries a part of so many seeded worlds; the first that fails is told without the lines that it does not need."""
    seeds = range(part * total // parts, (part + 1) * total // parts)
    failing = [seed for seed in seeds if wrong(seeded_world(seed))]
    assert not failing, f"seeds {failing[:9]}\n{described(seeded_world(failing[0]), wrong)}"


def described(world: World, wrong: Wrong) -> str:
    """A world of which something is wrong, without the lines that it does not need."""
    index = 0
    while index < len(world.lines):
        fewer = world.without(index)
        if wrong(fewer):
            world = fewer
        else:
            index += 1
    return "\n".join([*in_order(world.lines), *wrong(world), f"{world.stitch_window} {world.max_merges}"])
