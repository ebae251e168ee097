"""Keeps track of what is up: starts with what a service needs first, remembers it in pid files, stops it again."""

from __future__ import annotations

import contextlib
import dataclasses
import fcntl
import json
import shutil
from collections.abc import Iterator
from pathlib import Path

from services.building import build_artifact
from services.isolation import is_isolated
from services.processes import find_process, free_ports, owns_ports, start, stop
from services.registry import SERVICES, find_service
from services.service import Running, Service, ServiceError

ROOT = Path(__file__).resolve().parent.parent / ".services"


class Manager:
    """The services of one network.

    Args:
        state: Where pid files, logs, data and `env.json` are. Inside an isolated network, give it a folder of its own.
        root: Where the artifacts are.
    """

    def __init__(self, state: Path = ROOT, root: Path = ROOT) -> None:
        self.state = state
        self.root = root

    def build(self, name: str) -> Path:
        """Builds a service's artifact unless it is there; returns its path."""
        with self._locked(self.root):
            return build_artifact(find_service(name).artifact, self.root)

    def up(self, name: str, wanted_ports: dict[str, int] | None = None) -> Running:
        """The service, started unless it is up.

        Args:
            name: The service.
            wanted_ports: Port numbers by port name, for those that are not to be free ones.

        Raises:
            ServiceError: It cannot be built, does not start, or may not run in this network.
        """
        service = find_service(name)
        if service.command is None:
            raise ServiceError(f"{name} is no server: `build` makes {service.artifact.path}")
        if service.every_interface and not is_isolated():
            raise ServiceError(
                f"{name} listens on every interface, so it runs only in an isolated network: "
                f"`python -m services isolated --up {name} -- COMMAND` runs COMMAND with it there."
            )
        artifact = self.build(name)
        inherited = {key: value for need in service.needs for key, value in self.up(need).environment.items()}
        with self._locked(self.state):
            running = self.find(name)
            if running is None:
                running = self._start(service, artifact, wanted_ports or {}, inherited)
            return running

    def _start(self, service: Service, artifact: Path, wanted: dict[str, int], inherited: dict[str, str]) -> Running:
        assert service.command is not None  # noqa: S101 - for the type checker; `up` has refused it
        data = self.state / "data" / service.name
        shutil.rmtree(data, ignore_errors=True)
        data.mkdir(parents=True)
        ports = free_ports(service.name, service.ports, wanted)
        if service.prepare is not None:
            service.prepare(artifact, data, ports)
        command = service.command(artifact, data, ports)
        running = start(service, command, ports, self.state / "log" / f"{service.name}.log", inherited)
        self._pid_file(service.name).parent.mkdir(parents=True, exist_ok=True)
        self._pid_file(service.name).write_text(json.dumps(dataclasses.asdict(running), indent=2) + "\n")
        self._write_environment()
        return running

    def down(self, name: str) -> bool:
        """Stops the service. False when it was not up."""
        with self._locked(self.state):
            running = self._read(name)
            if running is None:
                return False
            was_up = find_process(running) is not None
            stop(running)
            self._pid_file(name).unlink()
            shutil.rmtree(self.state / "data" / name, ignore_errors=True)
            self._write_environment()
            return was_up

    def find(self, name: str) -> Running | None:
        """The service if it is up: its process lives and listens on its ports."""
        running = self._read(name)
        if running is None or find_process(running) is None:
            return None
        ports = [int(address.rsplit(":", 1)[1]) for address in running.endpoints.values()]
        return running if owns_ports(running.pid, ports) else None

    def _read(self, name: str) -> Running | None:
        file = self._pid_file(name)
        return Running(**json.loads(file.read_text())) if file.exists() else None

    def _pid_file(self, name: str) -> Path:
        return self.state / "run" / f"{name}.json"

    def _write_environment(self) -> None:
        up = {name: running for name in SERVICES if (running := self.find(name)) is not None}
        report = {
            "services": {name: {"pid": running.pid, "endpoints": running.endpoints} for name, running in up.items()},
            "environment": {key: value for running in up.values() for key, value in running.environment.items()},
        }
        (self.state / "env.json").write_text(json.dumps(report, indent=2) + "\n")

    @contextlib.contextmanager
    def _locked(self, folder: Path) -> Iterator[None]:
        """One process at a time builds or starts; the others wait and find it done."""
        folder.mkdir(parents=True, exist_ok=True)
        with (folder / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield
