"""What Beam serves in our processes listens on loopback only.

Beam's local runner talks to its worker processes by gRPC: control (with which a server makes a worker run any code),
data, state, logging. The servers ask nobody who they are, use no TLS, and bind `[::]:0`, every interface; there is no
option for that. All their clients are processes of this machine and are told `localhost:PORT`. So we change the one
thing that those modules call, `grpc.server`: a server of theirs that asks for `[::]` gets 127.0.0.1. Beam's worker pool
in a process that is not ours (a container of its own) is another matter, and stays as it is.
"""

from __future__ import annotations

import importlib
import types
from typing import Any

import grpc

_SERVING = (
    "apache_beam.runners.portability.fn_api_runner.worker_handlers",
    "apache_beam.runners.portability.local_job_service",
    "apache_beam.runners.portability.abstract_job_service",
    "apache_beam.runners.worker.worker_pool_main",
)
"""All modules of Beam 2.77 that start a server within a job's own processes."""
_EVERYWHERE = "[::]:"
_LOOPBACK = "127.0.0.1:"


def bind_to_loopback() -> None:
    """From now on. Calling it again changes nothing."""
    for name in _SERVING:
        module = importlib.import_module(name)
        if not isinstance(module.grpc, _LoopbackGrpc):
            module.grpc = _LoopbackGrpc("grpc")  # type: ignore[attr-defined]


class _LoopbackGrpc(types.ModuleType):
    """The module `grpc`, but for its servers."""

    def __getattr__(self, name: str) -> Any:
        return getattr(grpc, name)

    @staticmethod
    def server(*arguments: Any, **options: Any) -> Any:
        server = grpc.server(*arguments, **options)
        add_port = server.add_insecure_port
        server.add_insecure_port = lambda address: add_port(address.replace(_EVERYWHERE, _LOOPBACK))
        return server
