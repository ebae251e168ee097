"""Which profiles are users of accounts, told from columns. Pure."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from transforms.columns.blocks import is_one_of, rows_where
from transforms.columns.events import records_of
from transforms.profiles.columns import OrderedEvents
from transforms.records import Record


def users_in_accounts(found: OrderedEvents) -> Iterator[tuple[str, list[Record]]]:
    """Each profile that was ever put into an account, with its events as records, in order."""
    profiles = np.unique(found.profile[is_one_of(found.events.column("type"), ("group",))])
    if not len(profiles):
        return
    concerned = np.isin(found.profile, profiles)
    records = records_of(rows_where(found.events, concerned))
    starts = found.profile[concerned].searchsorted(profiles).tolist()
    for profile, start, end in zip(profiles.tolist(), starts, [*starts[1:], len(records)], strict=True):
        yield found.profile_ids[profile], records[start:end]
