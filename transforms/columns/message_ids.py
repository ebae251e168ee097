"""Which message ids occur more than once, told from numbers of 8 bytes instead of the ids themselves.

Nearly every id occurs once, and its event is on the fast path: nothing has to be compared. Whatever may be repeated is
a *suspect*, and its copies are compared record by record (deduplicate/copies.py). Two ids that happen to have the same
number are suspects for nothing, which costs a little time and changes nothing.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import numpy as np
import pyarrow as pa

from transforms.columns.pieces import one_piece

_MULTIPLIER: Final = np.uint64(0x9E3779B97F4A7C15)
_SHIFT: Final = np.uint64(29)
_WORD_BYTES: Final = 8
NUMBER: Final = np.dtype("<u8")


def numbers_of(ids: pa.ChunkedArray | pa.Array) -> np.ndarray:
    """One number of 64 bits per message id, the same wherever it is computed. Ids are large strings, none null."""
    array = one_piece(ids)
    if not len(array):
        return np.zeros(0, NUMBER)
    _, offsets_buffer, data_buffer = array.buffers()
    offsets = np.frombuffer(offsets_buffer, np.int64)[array.offset : array.offset + len(array) + 1]
    data = np.frombuffer(data_buffer, np.uint8) if data_buffer else np.zeros(0, np.uint8)
    lengths = np.diff(offsets)
    numbers = np.empty(len(array), NUMBER)
    for length in np.unique(lengths).tolist():
        rows = np.flatnonzero(lengths == length)
        numbers[rows] = _mixed(data, offsets[rows], length)
    return numbers


def _mixed(data: np.ndarray, starts: np.ndarray, length: int) -> np.ndarray:
    """Of texts of one length: each word of 8 bytes multiplied into what the words before it came to."""
    padded = np.zeros((len(starts), -(-length // _WORD_BYTES) * _WORD_BYTES), np.uint8)
    padded[:, :length] = data[starts[:, None] + np.arange(length)]
    mixed = np.full(len(starts), length + 1, NUMBER) * _MULTIPLIER
    for word in padded.view(NUMBER).T:
        mixed = (mixed ^ word) * _MULTIPLIER
        mixed ^= mixed >> _SHIFT
    return mixed


def repeated(numbers: Iterable[bytes]) -> np.ndarray:
    """The numbers that occur more than once in some packed arrays of them, sorted."""
    every = np.sort(np.frombuffer(b"".join(numbers), NUMBER))
    return np.unique(every[1:][every[1:] == every[:-1]])


def united(arrays: Iterable[bytes]) -> np.ndarray:
    """Packed arrays as one, sorted."""
    return np.sort(np.frombuffer(b"".join(arrays), NUMBER))


def are_among(numbers: np.ndarray, suspects: np.ndarray) -> np.ndarray:
    """Whether each number is one of the suspects, which are sorted."""
    if not len(suspects):
        return np.zeros(len(numbers), bool)
    places = np.minimum(np.searchsorted(suspects, numbers), len(suspects) - 1)
    found: np.ndarray = suspects[places] == numbers
    return found
