"""Receipts of erasure (CONTRACT section 5): one per delete event, with what it erased."""

import hashlib
from collections.abc import Iterable, Iterator
from typing import Any

import apache_beam as beam
import orjson
from apache_beam.pvalue import AsSingleton
from apache_beam.typehints.decorators import no_annotations

from schemas.block import TableBlock
from schemas.tables import DELETIONS
from transforms.deduplicate.bucket import Claim
from transforms.identity.bucket import Erased
from transforms.identity.plan import IdentityPlan
from transforms.profiles.rows import block


class WriteReceipts(beam.PTransform):
    """(claims, what was erased, plan) -> rows of `deletions`."""

    @no_annotations
    def expand(
        self, inputs: tuple[beam.PCollection[Claim], beam.PCollection[Erased], beam.PCollection[IdentityPlan]]
    ) -> beam.PCollection[TableBlock]:
        claims, erased, plan = inputs
        requests = claims | "Requests" >> beam.FlatMap(_request)
        return (
            {"requests": requests, "erased": erased}
            | "ByRequest" >> beam.CoGroupByKey()
            | "Receipts" >> beam.FlatMap(_receipt, AsSingleton(plan))
        )


def _request(claim: Claim) -> Iterator[tuple[str, tuple[int, str]]]:
    if claim[0] == "delete":
        timestamp, message_id, user_id = claim[1]
        yield message_id, (timestamp, user_id)


def _receipt(request: tuple[str, dict[str, Iterable[Any]]], plan: IdentityPlan) -> Iterator[TableBlock]:
    message_id, found = request
    counts = {"events": 0, "identity_links": 0}
    for table, rows in found["erased"]:
        counts[table] += rows
    for timestamp, user_id in found["requests"]:
        receipt = (
            hashlib.sha256(f"receipt\0{message_id}".encode()).hexdigest()[:32],
            hashlib.sha256(user_id.encode()).hexdigest(),
            timestamp,
            plan.as_of,
            orjson.dumps(counts),
        )
        yield block(DELETIONS, [receipt])
