"""Blocks that lie in files: what comes back is what was packed, wherever it is read."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipelines.forked.balance import _OF_A_BLOCK_BYTES, _size
from transforms.columns.aside import is_reference, lay_aside_in, size_of
from transforms.columns.blocks import pack, packed_by, unpack
from transforms.columns.events import TEXT
from transforms.columns.selection import Selection

ROWS = st.lists(st.tuples(st.sampled_from("abc"), st.one_of(st.none(), st.text(max_size=2000))), max_size=30)
TEXTS = pa.table({"key": pa.array(["a", "b"] * 500, TEXT), "text": pa.array(["some text", None] * 500, TEXT)})


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    lay_aside_in(str(tmp_path))
    yield tmp_path
    lay_aside_in(None)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(ROWS, max_size=4))
def test_blocks_come_back_in_any_order(folder: Path, found: list[list[tuple[str, str | None]]]) -> None:
    tables = [
        pa.table({"key": pa.array([key for key, _ in rows], TEXT), "text": pa.array([text for _, text in rows], TEXT)})
        for rows in found
    ]
    blocks = [pack(table) for table in tables]
    for table, block in reversed([*zip(tables, blocks, strict=True)]):
        assert unpack(block) == table
        assert is_reference(block) == (table.nbytes > 4096)


def test_a_block_is_as_large_as_what_it_stands_for(tmp_path: Path) -> None:
    travels = pack(TEXTS)
    lay_aside_in(str(tmp_path))
    try:
        lies = pack(TEXTS)
    finally:
        lay_aside_in(None)
    assert not is_reference(travels)
    assert is_reference(lies)
    assert len(lies) < len(travels)
    assert size_of(lies) == size_of(travels) == len(travels)
    encoded = b"\x01\x05known" + lies + b"\x00"
    assert _size([lies, ("tag", lies), encoded]) == 3 * (len(travels) + _OF_A_BLOCK_BYTES)
    assert [path.stat().st_size for path in tmp_path.iterdir()] == [len(travels)]


def test_threads_write_beside_each_other(folder: Path) -> None:
    with ThreadPoolExecutor(4) as threads:
        blocks = [*threads.map(lambda _: [*packed_by(Selection(TEXTS), "key", 7)], range(50))]
    expected = dict(packed_by(Selection(TEXTS), "key", 7))
    for found in blocks:
        assert {bucket: unpack(block) for bucket, block in found} == {
            bucket: unpack(block) for bucket, block in expected.items()
        }
    assert len([*folder.iterdir()]) <= 5


def test_another_process_reads_them(folder: Path) -> None:
    read = "import sys; from transforms.columns.blocks import unpack; print(unpack(sys.stdin.buffer.read()).num_rows)"
    done = subprocess.run([sys.executable, "-c", read], input=pack(TEXTS), capture_output=True, check=True)
    assert int(done.stdout) == TEXTS.num_rows
