"""The order of events, (key, timestamp, message id), of all rows at once."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc


def in_order(keys: np.ndarray, timestamps: np.ndarray, message_ids: pa.Array) -> np.ndarray:
    """The rows' places in the order of (key, timestamp, message id).

    Message ids are compared only where the rest is equal, which is rare: comparing texts is the dear part.
    """
    order = np.lexsort((timestamps, keys))
    key, at = keys[order], timestamps[order]
    same = (key[1:] == key[:-1]) & (at[1:] == at[:-1])
    if not same.any():
        return order
    tied = np.zeros(len(order), bool)
    tied[1:] |= same
    tied[:-1] |= same
    rows = order[tied]
    ranks = np.empty(len(rows), np.int64)
    ranks[pc.sort_indices(message_ids.take(pa.array(rows))).to_numpy()] = np.arange(len(rows))
    order[tied] = rows[np.lexsort((ranks, timestamps[rows], keys[rows]))]
    return order
