"""A broker of the test's own, to be stopped and started: its data and its ports stay."""

import os
import signal
from pathlib import Path

from services.manager import Manager
from services.processes import start, stop
from services.registry import find_service
from services.service import Running


class OwnBroker:
    """A service that runs until it is closed, with breaks.

    Args:
        name: of the service.
        folder: for its data; it must not be there yet.
    """

    def __init__(self, name: str, folder: Path) -> None:
        self._folder = folder
        self._service = find_service(name)
        self._manager = Manager(state=folder)
        self._running: Running | None = self._manager.up(name)
        self.address = next(iter(self._running.environment.values()))
        self._ports = {name: int(at.rpartition(":")[2]) for name, at in self._running.endpoints.items()}

    def stop(self, by: signal.Signals = signal.SIGTERM) -> None:
        """Ends it in peace, or with SIGKILL and all that it started."""
        running, self._running = self._running, None
        if running is not None:
            if by == signal.SIGKILL:
                os.killpg(running.pid, by)
            stop(running)

    def start(self) -> None:
        """Starts it where it was; returns when it answers."""
        assert self._service.command is not None
        artifact = self._manager.build(self._service.name)
        command = self._service.command(artifact, self._folder / "data" / self._service.name, self._ports)
        log = self._folder / "log" / f"{self._service.name}.log"
        self._running = start(self._service, command, self._ports, log, {})
