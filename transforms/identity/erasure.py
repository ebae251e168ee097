"""Erasure in a bounded job: receipts, one per delete event, with what it erased; and what failed, emptied.

Comes after everything that can be erased and everything that can fail.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import apache_beam as beam
from apache_beam.pvalue import AsDict, AsSingleton
from apache_beam.typehints.decorators import no_annotations

from schemas.block import TableBlock
from schemas.event import MESSAGE_ID, TIMESTAMP, TYPE, USER_ID
from schemas.tables import DELETIONS, FAILED_EVENTS
from transforms.identity.bucket import Erased
from transforms.identity.failed import FailedErasure
from transforms.identity.links import Link
from transforms.identity.plan import IdentityPlan
from transforms.identity.receipts import receipt_row
from transforms.profiles.rows import block
from transforms.records import Record


class WriteReceipts(
    beam.PTransform[
        tuple[beam.PCollection[Record], beam.PCollection[Erased], beam.PCollection[IdentityPlan]],
        beam.PCollection[TableBlock],
    ]
):
    """(claims, what was erased, plan) -> rows of `deletions`."""

    @no_annotations
    def expand(
        self, inputs: tuple[beam.PCollection[Record], beam.PCollection[Erased], beam.PCollection[IdentityPlan]]
    ) -> beam.PCollection[TableBlock]:
        claims, erased, plan = inputs
        requests = claims | "Requests" >> beam.FlatMap(_request)
        rows: beam.PCollection[TableBlock] = (
            {"requests": requests, "erased": erased}
            | "ByRequest" >> beam.CoGroupByKey()
            | "Receipts" >> beam.FlatMap(_receipt, AsSingleton(plan))
        )
        return rows


def _request(claim: Record) -> Iterator[tuple[str, tuple[int, str]]]:
    if claim[TYPE] == "delete":
        yield claim[MESSAGE_ID], (claim[TIMESTAMP], claim[USER_ID])


def _receipt(request: tuple[str, dict[str, Iterable[Any]]], plan: IdentityPlan) -> Iterator[TableBlock]:
    message_id, found = request
    counts: Counter[str] = Counter()
    for table, rows in found["erased"]:
        counts[table] += rows
    for timestamp, user_id in found["requests"]:
        yield block(DELETIONS, [receipt_row(message_id, timestamp, user_id, counts, plan.as_of)])


class EraseFailed(beam.PTransform[beam.PCollection[TableBlock], beam.PCollection[TableBlock]]):
    """Blocks of `failed_events` without what names an erased user; blocks of other tables as they are.

    Args:
        plan: one IdentityPlan.
        links: (device, its links) of the devices that were ever linked to somebody who is erased.
    """

    def __init__(
        self, plan: beam.PCollection[IdentityPlan], links: beam.PCollection[tuple[str, Sequence[Link]]]
    ) -> None:
        super().__init__()
        self._plan = plan
        self._links = links

    @no_annotations
    def expand(self, blocks: beam.PCollection[TableBlock]) -> beam.PCollection[TableBlock]:
        left: beam.PCollection[TableBlock] = blocks | "Erase" >> beam.FlatMap(
            _erase, AsSingleton(self._plan), AsDict(self._links)
        )
        return left


def _erase(block: TableBlock, plan: IdentityPlan, links: Mapping[str, Sequence[Link]]) -> Iterator[TableBlock]:
    if block.table != FAILED_EVENTS.name or not plan.erased:
        yield block
        return
    erasure = FailedErasure(plan, links)
    rows = [erasure.left_of(row) for row in zip(*block.columns, strict=True)]
    yield TableBlock(block.table, block.order, tuple(zip(*rows, strict=True)))
