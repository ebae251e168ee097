"""Constructs a job with Beam's DataflowRunner, offline: what Google is asked over HTTP is answered here.

Nothing of ours and nothing of Beam's is replaced but the one function that sends a request. The job ends as a template:
its description goes to a bucket, in place of the service.
"""

from __future__ import annotations

import base64
import dataclasses
import hashlib
import io
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import apache_beam as beam
import google_crc32c
import pytest
import requests
from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.portability.api import beam_runner_api_pb2

from pipelines.io.locations import InputLocation
from pipelines.io.outputs import parse_output
from pipelines.options.profiles import ProfilesOptions, parse_profiles_options

IMAGE = "europe-docker.pkg.dev/shop-prod/tidemark/profiles:0.1.0"
OPTIONS = (
    *("--runner=DataflowRunner", "--project=shop-prod", "--region=europe-west1", "--job_name=tidemark-live"),
    *("--temp_location=gs://work/tmp", "--staging_location=gs://work/staging", f"--sdk_container_image={IMAGE}"),
    *("--sdk_location=container", "--max_num_workers=8", "--number_of_worker_harness_threads=8", "--labels=team=crm"),
    *("--service_account_email=job@shop-prod.iam.gserviceaccount.com", "--template_location=gs://work/job.json"),
    "--experiments=disable_logging_submission_environment",  # which asks pip what is installed, for ten seconds
    "--experiments=pre_optimize=none",  # of a batch: sorts the steps, for twenty
)
_CREDENTIALS = {"type": "authorized_user", "client_id": "a", "client_secret": "b", "refresh_token": "c"}


@dataclasses.dataclass(frozen=True)
class Constructed:
    """A job as the service would get it: its description, the graph that it names, and all that was staged."""

    description: dict[str, Any]
    graph: beam_runner_api_pb2.Pipeline
    staged: dict[str, bytes]

    def steps(self) -> dict[str, beam_runner_api_pb2.PTransform]:
        """The transforms that do something, by name."""
        transforms = self.graph.components.transforms.values()
        return {transform.unique_name: transform for transform in transforms if not transform.subtransforms}

    def pardos(self) -> dict[str, beam_runner_api_pb2.ParDoPayload]:
        """What each ParDo is, by its name without the class of its DoFn."""
        found = {}
        for name, step in self.steps().items():
            if step.spec.urn == "beam:transform:pardo:v1":
                payload = beam_runner_api_pb2.ParDoPayload.FromString(step.spec.payload)
                found[re.sub(r"/ParDo\(\w+\)$", "", name)] = payload
        return found


class Google:
    """Answers for Cloud Storage, BigQuery and the token server; keeps what is uploaded."""

    def __init__(self) -> None:
        self.uploaded: dict[str, bytes] = {}
        self._name = ""

    def send(self, request: requests.PreparedRequest) -> requests.Response:
        """The answer to a request."""
        status, answer = self._answer(str(request.url), request)
        response = requests.Response()
        response.status_code, response.request, response.url = status, request, str(request.url)
        response.headers["content-type"] = "application/json"
        if "uploadType=resumable" in str(request.url):
            response.headers["location"] = f"{str(request.url).partition('?')[0]}?upload"
        response.raw = io.BytesIO(json.dumps(answer).encode())
        return response

    def _answer(self, url: str, request: requests.PreparedRequest) -> tuple[int, dict[str, Any]]:
        body = request.body.encode() if isinstance(request.body, str) else bytes(request.body or b"")  # type: ignore[arg-type]
        if "oauth2" in url:
            return 200, {"access_token": "t", "expires_in": 3600, "token_type": "Bearer"}
        if "/tables/" in url:
            of_table = {"projectId": "shop-prod", "datasetId": "tidemark", "tableId": "memberships"}
            return 200, {"id": "memberships", "tableReference": of_table}
        if "uploadType=resumable" in url:
            self._name = json.loads(body)["name"]
            return 200, {}
        if url.endswith("?upload"):
            self.uploaded[self._name] = body
            checks = {"crc32c": google_crc32c.Checksum(body).digest(), "md5Hash": hashlib.md5(body).digest()}  # noqa: S324
            return 200, {name: base64.b64encode(value).decode() for name, value in checks.items()}
        if "/b/work/o/" in url:
            return 404, {}
        return 200, {"name": "work", "kind": "storage#bucket", "location": "EUROPE-WEST1"}


def options_of(folder: Path, inputs: tuple[InputLocation, ...], *more: str) -> ProfilesOptions:
    """The options of a job into BigQuery; whether inputs and output answer is not asked."""
    places = [
        f"--input=watch:{folder}/*.ndjson",
        f"--output=duckdb:{folder}/o",
        "--segments=segments",
        "--traits=traits",
    ]
    options = parse_profiles_options([*places, *OPTIONS, *more])
    return dataclasses.replace(options, inputs=inputs, output=parse_output("bigquery:shop-prod.tidemark"))


def construct(folder: Path, arguments: list[str], build: Callable[[beam.Pipeline], None]) -> Constructed:
    """Runs what Beam does up to the service."""
    credentials = folder / "credentials.json"
    credentials.write_text(json.dumps(_CREDENTIALS))
    google = Google()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(credentials))
        patch.setattr(requests.adapters.HTTPAdapter, "send", lambda _, request, **__: google.send(request))
        pipeline = beam.Pipeline(options=PipelineOptions(arguments))
        build(pipeline)
        pipeline.run()
    description = json.loads(google.uploaded.pop("job.json"))
    [graph] = [name for name in google.uploaded if name.endswith("pipeline.pb")]
    return Constructed(
        description, beam_runner_api_pb2.Pipeline.FromString(google.uploaded.pop(graph)), google.uploaded
    )
