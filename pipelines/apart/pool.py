"""Gives the second process to Prism as a worker.

Beam gives transforms that ask for other resources than the rest (`StreamSettings.apart`) an environment of their own,
and Prism has a worker for each environment. Both are `LOOPBACK`, which Beam serves in the process that starts the job;
here that of the stages which are set apart is served in another one.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, Final

from apache_beam.options.pipeline_options import DebugOptions, PortableOptions
from apache_beam.portability import common_urns, python_urns
from apache_beam.portability.api import beam_fn_api_pb2
from apache_beam.runners.portability.portable_runner import PortableRunner
from apache_beam.runners.worker import sdk_worker_main
from apache_beam.runners.worker.worker_pool_main import BeamFnExternalWorkerPoolServicer
from apache_beam.transforms.environments import ExternalEnvironment

from pipelines.apart.process import process_apart
from pipelines.apart.worker import WorkerStart

_HINT: Final = common_urns.resource_hints.CPU_COUNT.urn
_STOP_SECONDS: Final = 1


def begin_apart() -> None:
    """Starts the process: it imports Beam while the job is built. What is set apart will be done in it."""
    process_apart()
    PortableRunner.start_and_replace_loopback_environments = staticmethod(_replace_environments)  # type: ignore[method-assign]


class _Pool(BeamFnExternalWorkerPoolServicer):
    """Gives a runner the process as its worker."""

    def StartWorker(self, start_worker_request: Any, unused_context: Any) -> Any:  # noqa: N802 - the service's name
        start = WorkerStart(
            start_worker_request.control_endpoint.url,
            start_worker_request.worker_id,
            self._state_cache_size,
            self._data_buffer_time_limit_ms,
        )
        process_apart().start(start)
        return beam_fn_api_pb2.StartWorkerResponse()

    def StopWorker(self, stop_worker_request: Any, unused_context: Any) -> Any:  # noqa: N802
        return beam_fn_api_pb2.StopWorkerResponse()  # it ends when the runner closes its connection


_beams_own: Callable[[Any, Any], list[Any]] = PortableRunner.start_and_replace_loopback_environments


def _replace_environments(pipeline: Any, options: Any) -> list[Any]:
    """As Beam does it, but for the environment that is set apart."""
    stops = []
    for environment in pipeline.components.environments.values():
        if environment.urn == python_urns.EMBEDDED_PYTHON_LOOPBACK and _HINT in environment.resource_hints:
            experiments = options.view_as(DebugOptions).experiments or []
            address, server = _Pool.start(
                state_cache_size=sdk_worker_main._get_state_cache_size_bytes(options=options),
                data_buffer_time_limit_ms=sdk_worker_main._get_data_buffer_time_limit_ms(experiments),
            )
            portable = PortableOptions(environment_type="EXTERNAL", environment_config=address)
            external = ExternalEnvironment.from_options(portable).to_runner_api(None)  # type: ignore[arg-type]
            environment.urn, environment.payload = external.urn, external.payload
            stops.append(partial(server.stop, _STOP_SECONDS))
    return [*stops, *_beams_own(pipeline, options)]
