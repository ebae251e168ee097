"""Every service, in the order in which they start."""

from __future__ import annotations

from services.bigquery import BIGQUERY
from services.flink import FLINK
from services.gcs import GCS
from services.kafka import KAFKA
from services.moto import KINESIS, S3
from services.prism import PRISM
from services.pubsub import PUBSUB
from services.rabbitmq import RABBITMQ
from services.redis import REDIS
from services.service import Service, ServiceError
from services.shop import SHOP

SERVICES: dict[str, Service] = {
    service.name: service
    for service in (GCS, BIGQUERY, PUBSUB, KAFKA, REDIS, RABBITMQ, KINESIS, S3, SHOP, PRISM, FLINK)
}


def find_service(name: str) -> Service:
    """The service of that name.

    Raises:
        ServiceError: There is none.
    """
    if name not in SERVICES:
        raise ServiceError(f"no service is named {name!r}; there are {', '.join(SERVICES)}")
    return SERVICES[name]
