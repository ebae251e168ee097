"""A broker of the test's own, to be stopped and started: its data and its ports stay."""

import signal
from pathlib import Path

import psutil

from services.manager import Manager
from services.processes import start
from services.registry import find_service
from services.service import Running

LONGEST_SECONDS = 60


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
        if running is None:
            return
        process = psutil.Process(running.pid)
        family = [process, *process.children(recursive=True)]
        for member in family if by == signal.SIGKILL else family[:1]:
            member.send_signal(by)
        for _ in range(LONGEST_SECONDS):
            _, left = psutil.wait_procs(family, 1)
            if not any(map(_lives, left)):
                return
        raise AssertionError(f"{self._service.name} does not end: {left}")

    def start(self) -> None:
        """Starts it where it was; returns when it answers."""
        assert self._service.command is not None
        artifact = self._manager.build(self._service.name)
        command = self._service.command(artifact, self._folder / "data" / self._service.name, self._ports)
        log = self._folder / "log" / f"{self._service.name}.log"
        self._running = start(self._service, command, self._ports, log, {})


def _lives(process: psutil.Process) -> bool:
    """Not so a dead one that nobody has asked for its status."""
    try:
        return process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
