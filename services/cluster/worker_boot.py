"""Starts one Python worker of Beam's for a worker pool, as the `boot` of Beam's images does: by the runner's orders.

`python -m apache_beam.runners.worker.worker_pool_main --container_executable BOOT` calls it with the addresses of the
runner. Without it a pool's workers would not know the job's options: no state cache, no options of file systems.
Artifacts are not fetched: what a job needs is installed where the pool runs.
"""

from __future__ import annotations

import argparse
import os
import sys

import grpc
from apache_beam.portability.api import (
    beam_provision_api_pb2,
    beam_provision_api_pb2_grpc,
    endpoints_pb2,
)
from apache_beam.runners.worker import sdk_worker_main
from google.protobuf import json_format, text_format

_ANSWER_SECONDS = 60


def main(arguments: list[str]) -> None:
    """Runs until the runner lets go of the worker."""
    parser = argparse.ArgumentParser()
    for name in ("id", "logging_endpoint", "artifact_endpoint", "provision_endpoint", "control_endpoint"):
        parser.add_argument(f"--{name}", required=True)
    given = parser.parse_args(arguments)
    with grpc.insecure_channel(given.provision_endpoint) as channel:
        grpc.channel_ready_future(channel).result(_ANSWER_SECONDS)
        service = beam_provision_api_pb2_grpc.ProvisionServiceStub(channel)
        request = beam_provision_api_pb2.GetProvisionInfoRequest()
        known = service.GetProvisionInfo(request, metadata=[("worker_id", given.id)], timeout=_ANSWER_SECONDS)
    info = known.info
    os.environ.update(
        WORKER_ID=given.id,
        PIPELINE_OPTIONS=json_format.MessageToJson(info.pipeline_options),
        LOGGING_API_SERVICE_DESCRIPTOR=_descriptor(info.logging_endpoint.url or given.logging_endpoint),
        CONTROL_API_SERVICE_DESCRIPTOR=_descriptor(info.control_endpoint.url or given.control_endpoint),
        RUNNER_CAPABILITIES=" ".join(info.runner_capabilities),
    )
    sdk_worker_main.main([])


def _descriptor(url: str) -> str:
    return str(text_format.MessageToString(endpoints_pb2.ApiServiceDescriptor(url=url)))


if __name__ == "__main__":
    main(sys.argv[1:])
