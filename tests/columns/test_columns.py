"""What is decided on columns is what would be decided row by row."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from transforms.columns.blocks import bucket_of, pack, partition, unpack
from transforms.columns.events import EVENTS, TEXT, columns_of, owned_events, records_of
from transforms.columns.message_ids import are_among, numbers_of, repeated, united
from transforms.columns.order import in_order
from transforms.columns.selection import Selection

IDS = st.one_of(st.sampled_from(["a", "b", "ab", "", "é", "12345678", "123456789"]), st.text(max_size=20))
INSTANTS = st.integers(-(2**62), 2**62)
OPTIONAL = st.one_of(st.none(), IDS)
JSON = st.one_of(st.none(), st.sampled_from([b"{}", b'{"a":1}', '{"é":"ü"}'.encode()]))
RECORDS = st.lists(
    st.tuples(IDS, INSTANTS, IDS, IDS, *[OPTIONAL] * 4, st.one_of(st.none(), INSTANTS), *[JSON] * 3), max_size=20
)


@given(st.lists(IDS, max_size=30), st.integers(1, 4))
def test_ids_that_occur_twice_are_suspects(ids: list[str], pieces: int) -> None:
    numbers = [numbers_of(pa.array(ids[piece::pieces], TEXT)).tobytes() for piece in range(pieces)]
    suspects = repeated(numbers)
    found = {
        one for one, is_among in zip(ids, are_among(numbers_of(pa.array(ids, TEXT)), suspects), strict=True) if is_among
    }
    assert found >= {one for one, count in Counter(ids).items() if count > 1}
    assert len(found) <= len(suspects) == len({*suspects.tolist()})  # no two of these ids have the same number


@given(st.lists(IDS, max_size=20), st.integers(0, 5), st.integers(0, 5))
def test_a_number_depends_on_nothing_but_the_id(ids: list[str], before: int, after: int) -> None:
    whole = pa.array(["other"] * before + ids + ["more"] * after, TEXT)
    alone = [numbers_of(pa.array([one], TEXT))[0] for one in ids]
    assert numbers_of(whole.slice(before, len(ids))).tolist() == alone
    assert united([numbers_of(whole).tobytes(), b""]).tolist() == sorted(numbers_of(whole).tolist())


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(-2, 2), IDS), max_size=30))
def test_the_order_of_rows_is_that_of_their_tuples(rows: list[tuple[int, int, str]]) -> None:
    keys, at, ids = ([row[place] for row in rows] for place in range(3))
    order = in_order(np.array(keys, np.int64), np.array(at, np.int64), pa.array(ids, TEXT))
    assert [rows[place] for place in order] == sorted(rows)
    assert sorted(order.tolist()) == list(range(len(rows)))


@given(RECORDS)
def test_records_come_back_from_columns(records: list[tuple[object, ...]]) -> None:
    packed = pack(columns_of(records, EVENTS))
    assert records_of(unpack(packed)) == records
    owned = owned_events([(f"user:{number}", record) for number, record in enumerate(records)])
    assert records_of(pa.Table.from_batches([owned])) == records
    assert owned.column("owner").to_pylist() == [str(number) for number in range(len(records))]


@given(RECORDS, st.integers(1, 5))
def test_every_row_is_in_its_bucket(records: list[tuple[object, ...]], count: int) -> None:
    events = pa.Table.from_batches([columns_of(records, EVENTS)])
    found = {bucket: records_of(rows) for bucket, rows in partition(Selection(events), "message_id", count)}
    expected: dict[int, list[object]] = {}
    for record in records:
        expected.setdefault(bucket_of(str(record[0]), count), []).append(record)
    assert found == expected
