"""Builds accounts in a bounded job: the histories of each account's users in, blocks of its rows out.

After the profiles, since a user's events are known only there. A user's whole history makes one more hop for each
account that the user was put into: ANY and ALL ask what is true of the user, also by events from before.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import apache_beam as beam
from apache_beam.pvalue import AsSingleton
from apache_beam.typehints.decorators import no_annotations

from schemas.block import TableBlock
from schemas.tables import ACCOUNTS, MEMBERSHIP_CHANGES, MEMBERSHIPS
from transforms.accounts.history import AccountHistory, build_account
from transforms.accounts.rules import compile_accounts
from transforms.accounts.told import groups_of
from transforms.identity.plan import IdentityPlan
from transforms.profiles.history import BY_TIME
from transforms.profiles.rows import block
from transforms.records import Buckets, Record, collection_paused, unpack
from transforms.segments.language import ast


def add_to_accounts(accounts: Buckets, profile_id: str, records: Sequence[Record]) -> None:
    """Adds (group id, profile id, event) for each account that the profile was put into."""
    for group_id in sorted(groups_of(records)):
        for record in records:
            accounts.add(group_id, (group_id, profile_id, record))


class BuildAccounts(
    beam.PTransform[tuple[beam.PCollection[Any], beam.PCollection[IdentityPlan]], beam.PCollection[TableBlock]]
):
    """Accounts, their memberships and changes from (bucket, blocks of (group id, profile id, event))."""

    def __init__(self, definitions: ast.Definitions) -> None:
        super().__init__()
        self._definitions = definitions

    @no_annotations
    def expand(
        self, inputs: tuple[beam.PCollection[Any], beam.PCollection[IdentityPlan]]
    ) -> beam.PCollection[TableBlock]:
        users, plan = inputs
        build = beam.ParDo(_BuildAccounts(self._definitions), AsSingleton(plan))
        tables: beam.PCollection[TableBlock] = users | "Build" >> build
        return tables


class _BuildAccounts(beam.DoFn):
    def __init__(self, definitions: ast.Definitions) -> None:
        self._definitions = definitions

    def setup(self) -> None:
        self._rules = compile_accounts(self._definitions)

    def process(self, bucket: tuple[int, Iterable[bytes]], plan: IdentityPlan) -> Iterator[TableBlock]:
        users: dict[str, dict[str, list[Record]]] = {}
        with collection_paused():
            for group_id, profile_id, record in unpack(bucket[1]):
                users.setdefault(group_id, {}).setdefault(profile_id, []).append(record)
            built = [self._build(group_id, histories, plan.as_of) for group_id, histories in sorted(users.items())]
        found = [history for history in built if history is not None]
        for table, rows in (
            (ACCOUNTS, [history.account for history in found]),
            (MEMBERSHIPS, [row for history in found for row in history.memberships]),
            (MEMBERSHIP_CHANGES, [row for history in found for row in history.changes]),
        ):
            if rows:
                yield block(table, rows)

    def _build(self, group_id: str, histories: dict[str, list[Record]], as_of: int) -> AccountHistory | None:
        for records in histories.values():
            records.sort(key=BY_TIME)
        return build_account(group_id, histories, self._rules, as_of)
