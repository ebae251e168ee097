"""The bounded job's stages on a world in memory, one after the other as its graph has them, without a runner.

A world takes some 20 ms instead of a second, so that thousands can be tried; the graph itself is tested by jobs.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

import pyarrow as pa

from pipelines.io.files.read_files import parse_messages
from schemas.arrow import to_record_batch
from schemas.block import TableBlock
from schemas.event import TYPE, Failure
from schemas.tables import TABLES
from tests.laws.memory import SOURCE, World, parser
from transforms.accounts.bucket import _BuildAccounts
from transforms.deduplicate.bucket import (
    _Compare,
    _ExtractCopies,
    _named_by,
    _records,
    _repeated,
    _tell_retraction,
)
from transforms.deduplicate.copies import RETRACT
from transforms.identity.bucket import _merged_rows, _plan, _refuse, _ResolveDevices
from transforms.identity.erasure import _erase, _receipt, _request
from transforms.profiles.bucket import Take, _BuildProfiles, take_merged, take_users_or_devices
from transforms.whole import Tables, _Tables

BUCKETS = 4
Collections = dict[str, list[Any]]
_TABLES = {table.name: table for table in TABLES}


def bounded(world: World, pieces: int = 3) -> Tables:
    """The tables by the stages of the bounded job; the input read in some pieces."""
    found = _Job(world, pieces).run()
    return found.sorted()


@dataclass
class Part:
    """Some lines that can be read again."""

    lines: tuple[bytes, ...]
    source: str = SOURCE

    def groups(self) -> Generator[Sequence[bytes | Failure], None, None]:
        for start in range(0, len(self.lines), 3):
            yield [*self.lines[start : start + 3]]

    def messages(self) -> Iterator[bytes | Failure]:
        return chain.from_iterable(self.groups())


class _Job:
    def __init__(self, world: World, pieces: int) -> None:
        self._world = world
        self._pieces = pieces
        self._blocks: list[TableBlock] = []
        self._accounts: list[Any] = []
        self._erased: list[Any] = []

    def run(self) -> _Tables:
        world = self._world
        parsed = self._parse()
        claims = [claim for keyed in parsed["claims"] for claim in _records(keyed)]
        retracted = list({name for claim in claims for name in _named_by(claim, RETRACT)})
        previous_ids = list({name for claim in claims for name in _named_by(claim, "alias")})
        suspects = [numbers for bucket in _grouped(parsed["ids"]) for numbers in _repeated(bucket)]
        extract = _ExtractCopies(parser(), BUCKETS, world.as_of)
        told = _tagged(
            found for block in parsed["originals"] for found in extract.process(block, suspects, previous_ids)
        )
        compare = _Compare(BUCKETS, world.as_of)
        buckets = _grouped([*told["copies"], *parsed["claims"]])
        exact = _tagged(found for bucket in buckets for found in compare.process(bucket, retracted, previous_ids))
        limits = {"stitch_window_us": world.stitch_window, "max_merges": world.max_merges}
        standing, users = exact["claims"], [*told["users"], *exact["users"]]
        plan = _plan(None, standing, users, [*told["latest"], *exact["latest"]], as_of=world.as_of, **limits)

        of_device = {"events": parsed["devices"], "links": parsed["links"]}
        of_device |= {"exact_events": exact["exact_devices"], "exact_links": exact["exact_links"]}
        resolve = _ResolveDevices(BUCKETS)
        devices = _tagged(f for bucket in _cogrouped(of_device) for f in resolve.process(bucket, plan, suspects))
        of_owner = {"known": parsed["known"], "exact": exact["exact_known"], "resolved": devices["known"]}
        of_owner["anonymous"] = devices["anonymous"]
        merged = self._build(_cogrouped(of_owner), take_users_or_devices, plan, suspects)
        self._build(_grouped(merged), take_merged, plan, suspects)
        accounts = _BuildAccounts(world.definitions)
        accounts.setup()
        for bucket in _grouped(self._accounts):
            self._blocks += accounts.process(bucket, plan)

        refused = [block for claim in standing for block in _refuse(claim, plan)]
        links, taken_out = dict(devices["links"]), dict(exact["retracted"])
        retractions = [block for retract in exact["retracts"] for block in _tell_retraction(retract, taken_out)]
        for block in (*parsed["failed"], *exact["failed"], *refused, *retractions):
            self._blocks += _erase(block, plan, links)
        self._blocks += [*_merged_rows(plan), *devices["tables"]]
        self._receipts([claim for claim in standing if claim[TYPE] == "delete"], devices["erased"], plan)
        return _rows(self._blocks)

    def _parse(self) -> Collections:
        lines = self._world.lines
        parts = [Part(lines[number :: self._pieces]) for number in range(self._pieces)]
        origins = [part if number % 2 else None for number, part in enumerate(parts)]
        read = zip(parts, origins, strict=True)
        return _tagged(
            found for part, origin in read for found in parse_messages(parser(), part.groups(), SOURCE, BUCKETS, origin)
        )

    def _build(self, buckets: Iterable[Any], take: Take, plan: Any, suspects: list[bytes]) -> list[Any]:
        build = _BuildProfiles(self._world.definitions, BUCKETS, 0, take)
        build.setup()
        built = _tagged(found for bucket in buckets for found in build.process(bucket, plan, suspects))
        self._blocks += built["tables"]
        self._accounts += built["accounts"]
        self._erased += built["erased"]
        return built["merged"]

    def _receipts(self, deletions: Iterable[Any], erased: Iterable[Any], plan: Any) -> None:
        rows: dict[str, list[Any]] = defaultdict(list)
        for deletion, counted in (*erased, *self._erased):
            rows[deletion].append(counted)
        for claim in deletions:
            for name, request in _request(claim):
                self._blocks += _receipt((name, {"requests": [request], "erased": rows[name]}), plan)


def _tagged(outputs: Iterable[Any]) -> Collections:
    found: Collections = defaultdict(list)
    for output in outputs:
        found[output.tag].append(output.value)
    return found


def _grouped(keyed: Iterable[tuple[Any, Any]]) -> list[tuple[Any, list[Any]]]:
    found: dict[Any, list[Any]] = defaultdict(list)
    for key, value in keyed:
        found[key].append(value)
    return list(found.items())


def _cogrouped(inputs: Mapping[str, Iterable[tuple[Any, Any]]]) -> list[tuple[Any, dict[str, list[Any]]]]:
    found: dict[Any, dict[str, list[Any]]] = {}
    for name, keyed in inputs.items():
        for key, value in keyed:
            found.setdefault(key, {each: [] for each in inputs})[name].append(value)
    return list(found.items())


def _rows(blocks: Iterable[TableBlock]) -> _Tables:
    tables = _Tables()
    for block in blocks:
        to_record_batch(_TABLES[block.table], block)  # it must be writable
        for row in zip(*map(_values, block.columns), strict=True):
            tables.add(block.table, tuple(row))
    return tables


def _values(column: Any) -> Iterator[Any]:
    if not isinstance(column, pa.Array):
        return iter(column)
    if pa.types.is_timestamp(column.type):
        return iter(column.cast(pa.int64()).to_pylist())
    return iter(column.to_pylist())
