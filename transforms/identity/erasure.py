"""Receipts of erasure in a bounded job: one per delete event, with what it erased."""

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any

import apache_beam as beam
from apache_beam.pvalue import AsSingleton
from apache_beam.typehints.decorators import no_annotations

from schemas.block import TableBlock
from schemas.event import MESSAGE_ID, TIMESTAMP, TYPE, USER_ID
from schemas.tables import DELETIONS
from transforms.identity.bucket import Erased
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
