"""Events into a spool: safe when it says so, whole or not at all, and seen by readers when complete."""

from __future__ import annotations

import errno
import os
import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.io.locations import list_files
from pipelines.io.spool.segment import Segment, recover_segments
from pipelines.io.spool.writer import SpoolWriter
from tests.api.served import COLLECT, ask, basic, kept, options

EVENT = {"type": "page", "userId": "u", "messageId": "m"}


def test_readers_see_a_file_when_it_is_complete(tmp_path: Path) -> None:
    writer = SpoolWriter(tmp_path, publish_seconds=3600)
    writer.open()
    writer.write([b"{}", b"[]"])
    assert list_files(str(tmp_path)) == ()
    assert writer.rest() is not None
    writer.close()
    (file,) = list_files(str(tmp_path))
    assert Path(file.path).read_bytes().split(b"\n") == [b"{}", b"[] ", b""]


def test_a_file_is_complete_when_it_is_long_or_old(tmp_path: Path) -> None:
    for number, writer in enumerate((SpoolWriter(tmp_path, 0), SpoolWriter(tmp_path, 3600, segment_bytes=1)), 1):
        writer.write([b"{}"])
        assert writer.rest() is None
        assert len(list_files(str(tmp_path))) == number


@given(
    st.lists(st.lists(st.sampled_from([b"{}", b'{"a":" "}', b"[1]"]), min_size=1, max_size=3), max_size=4), st.data()
)
def test_what_a_crash_leaves_is_cut_to_whole_groups(groups: list[list[bytes]], data: st.DataObject) -> None:
    with tempfile.TemporaryDirectory() as folder:
        ends, segment = [0], Segment(Path(folder))
        for group in groups:
            segment.append(b"\n".join(group) + b"\n")
            ends.append(segment.size_bytes)
        os.close(segment._file)  # as a killed process would: its lock goes with it
        length = data.draw(st.integers(0, ends[-1]))
        os.truncate(segment._path, length)
        recover_segments(Path(folder))
        whole = sum(end <= length for end in ends) - 1
        found = [line for file in Path(folder).glob("*.ndjson") for line in file.read_bytes().splitlines()]
        assert [line.strip() for line in found] == [line for group in groups[:whole] for line in group]
        assert not list(Path(folder).glob(".*"))


def test_a_file_of_a_writer_that_lives_is_left_alone(tmp_path: Path) -> None:
    writer = SpoolWriter(tmp_path, 3600)
    writer.write([b"{}"])
    assert recover_segments(tmp_path) == 0
    writer.close()
    assert len(kept(tmp_path)) == 1


@pytest.mark.parametrize("call", ["write", "fdatasync"])
def test_a_full_disk_is_503_and_nothing_of_the_batch_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    real = getattr(os, call)

    def full(file: int, *data: memoryview) -> int:
        if data and len(data[0]) > 1:
            return int(real(file, data[0][: len(data[0]) // 2]))
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(os, call, full)
        batch = {"batch": [EVENT, EVENT, EVENT]}
        response = ask(options(tmp_path), "POST", "/v1/batch", json=batch, auth=basic(COLLECT))
    assert response.status_code == 503
    assert int(response.headers["Retry-After"]) > 0
    assert response.json()["code"] == "unavailable"
    assert kept(tmp_path) == []
    assert ask(options(tmp_path), "POST", "/v1/batch", json=batch, auth=basic(COLLECT)).status_code == 200
    assert len(kept(tmp_path)) == 3
