"""Hosts that share nothing but a network: each has its own network, host name and folder for temporary files.

They are namespaces of Linux, made inside an isolated network (`services/isolation.py`), where a bridge joins them. What
is only read (this repository, its `.venv`, jars) they have in common, as machines have that run the same image.

A host's 127.0.0.1 is its own. What listens on the loopback of the isolated network itself (object store, broker) is
forwarded to the same port of each host's, so that one address is right everywhere.
"""

from __future__ import annotations

import itertools
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Self

from services.building import find_tool
from services.isolation import is_isolated
from services.service import ServiceError

NETWORK = "10.77.0"
GATEWAY = f"{NETWORK}.1"
"""The address of the isolated network itself among the hosts."""
_BRIDGE = "tidemark0"
_STOP_SECONDS = 10.0
_ROOT = Path(__file__).parents[2]
_PRIVATE = """
hostname "$1"
mount --make-rprivate /
case "$4/" in
  "$3"/*) mount --bind "$4" /mnt; mount -t tmpfs tmpfs "$3"; mkdir -p "$4"; mount --move /mnt "$4" ;;
  *) mount -t tmpfs tmpfs "$3" ;;
esac
printf '127.0.0.1 localhost\\n%s %s\\n' "$2" "$1" > "$3/hosts"
mount --bind "$3/hosts" /etc/hosts
ip link set lo up
echo ready
exec sleep infinity
"""
"""What makes a host of new namespaces: name, address, the folder for temporary files, and the repository, which stays
where it is even inside of that."""


class Host:
    """One host, until it is closed; processes that were started on it end then.

    Args:
        name: its host name.
        number: the last part of its address, 2 to 254.
        logs: the folder for what its processes print.
    """

    def __init__(self, name: str, number: int, logs: Path) -> None:
        if not is_isolated():
            raise ServiceError("hosts are made inside an isolated network: python -m services isolated -- COMMAND")
        self.name = name
        self.address = f"{NETWORK}.{number}"
        self._logs = logs
        self._processes: list[subprocess.Popen[bytes]] = []
        self._numbers = itertools.count()
        namespaces = [find_tool("unshare"), "--net", "--mount", "--uts", "sh", "-euc", _PRIVATE]
        namespaces += ["sh", name, self.address, tempfile.gettempdir(), str(_ROOT)]
        self._holder = subprocess.Popen(namespaces, stdout=subprocess.PIPE)
        assert self._holder.stdout is not None  # noqa: S101 - for the type checker
        if self._holder.stdout.readline() != b"ready\n":
            raise ServiceError(f"host {name}: its namespaces cannot be made")
        self._join(number)

    def _join(self, number: int) -> None:
        """Puts the host's end of a cable into it, and the other into the bridge."""
        cable = f"tidemark-h{number}"
        peer = ["peer", "name", "eth0", "netns", str(self._holder.pid)]
        _ip("link", "add", cable, "type", "veth", *peer)
        _ip("link", "set", cable, "master", _BRIDGE, "up")
        for arguments in (["addr", "add", f"{self.address}/24", "dev", "eth0"], ["link", "set", "eth0", "up"]):
            subprocess.run(self.command([find_tool("ip"), *arguments]), check=True)

    def command(self, command: list[str]) -> list[str]:
        """The command that runs `command` on this host."""
        return ["nsenter", f"--target={self._holder.pid}", "--net", "--mount", "--uts", "--", *command]

    def start(
        self, name: str, command: list[str], environment: Mapping[str, str] | None = None
    ) -> subprocess.Popen[bytes]:
        """A process on this host; what it prints goes to a file there."""
        path = self._logs / f"{self.name}-{name}-{next(self._numbers)}.log"
        with path.open("wb") as log:
            process = subprocess.Popen(
                self.command(command),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env={**os.environ, "PYTHONPATH": str(_ROOT), **(environment or {})},
                start_new_session=True,
            )
        self._processes.append(process)
        return process

    def write(self, path: str, text: str) -> None:
        """A file on this host, in its folder for temporary files."""
        script = 'mkdir -p "$(dirname "$0")" && cat > "$0" && chmod 755 "$0"'
        subprocess.run(self.command(["sh", "-c", script, path]), input=text.encode(), check=True)

    def forward(self, ports: Iterable[int]) -> None:
        """This host's own 127.0.0.1 answers on these ports as that of the isolated network does."""
        command = [sys.executable, "-m", "services.cluster.forward", "127.0.0.1", GATEWAY, *map(str, ports)]
        self.start("forward", command)

    def close(self) -> None:
        """Kills what runs on it, and the host."""
        for process in reversed(self._processes):
            kill_session(process)
        self._holder.kill()
        self._holder.wait(_STOP_SECONDS)
        assert self._holder.stdout is not None  # noqa: S101 - for the type checker
        self._holder.stdout.close()


class Network:
    """The bridge between hosts, and the hosts on it. For one process in an isolated network."""

    def __init__(self, logs: Path) -> None:
        self._logs = logs
        self._hosts: list[Host] = []
        self._forwards: list[subprocess.Popen[bytes]] = []
        _ip("link", "add", _BRIDGE, "type", "bridge")
        _ip("addr", "add", f"{GATEWAY}/24", "dev", _BRIDGE)
        _ip("link", "set", _BRIDGE, "up")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()

    def add(self, name: str) -> Host:
        """One more host."""
        host = Host(name, 11 + len(self._hosts), self._logs)
        self._hosts.append(host)
        return host

    def share(self, ports: Iterable[int]) -> None:
        """What listens on these ports of the isolated network's own loopback is there on every host's, too."""
        wanted = sorted(set(ports))
        command = [sys.executable, "-m", "services.cluster.forward", GATEWAY, "127.0.0.1", *map(str, wanted)]
        self._forwards.append(subprocess.Popen(command, start_new_session=True))
        for host in self._hosts:
            host.forward(wanted)

    def close(self) -> None:
        """Kills everything, and takes the bridge away."""
        for host in reversed(self._hosts):
            host.close()
        for forward in self._forwards:
            kill_session(forward)
        _ip("link", "del", _BRIDGE)


def kill_session(process: subprocess.Popen[bytes]) -> None:
    """SIGKILL for a process that was started in a session of its own, and for what it has started there."""
    if process.poll() is None:
        os.killpg(process.pid, 9)
    process.wait(_STOP_SECONDS)


def _ip(*arguments: str) -> None:
    subprocess.run([find_tool("ip"), *arguments], check=True)
