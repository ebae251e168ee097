"""A network of its own, with loopback only, for what listens on every interface (Prism, Beam's job server).

Whoever talks to such a server has to be inside too: `isolated(command)` puts a whole command there. It is a process
namespace as well: what the command leaves behind (Beam does not stop the Prism that it started) ends with it.
"""

from __future__ import annotations

import os
import subprocess
import sys

from services.building import find_tool
from services.service import ServiceError

MARK = "TIDEMARK_ISOLATED"
"""Set in the environment of what runs inside."""

_BRING_UP_LOOPBACK = 'ip link set lo up && exec "$@"'


def is_isolated() -> bool:
    """Whether this process runs inside such a network already."""
    return os.environ.get(MARK) == "1"


def isolated(command: list[str]) -> list[str]:
    """The command that runs `command` inside an isolated network.

    Raises:
        ServiceError: This machine cannot make one.
    """
    if not sys.platform.startswith("linux"):
        raise ServiceError("Prism and Flink run in a network namespace, which only Linux has (a container will do).")
    for tool in ("unshare", "ip"):
        find_tool(tool)
    # Without root, a user namespace gives the right to make a network namespace.
    user = [] if os.geteuid() == 0 else ["--map-root-user"]
    unshare = ["unshare", *user, "--net", "--pid", "--fork", "--kill-child", "--mount-proc"]
    probe = subprocess.run([*unshare, "true"], capture_output=True, text=True, check=False)
    if probe.returncode != 0:
        raise ServiceError(f"no network namespace can be made here: {probe.stderr.strip()}")
    return [*unshare, "env", f"{MARK}=1", "sh", "-c", _BRING_UP_LOOPBACK, "sh", *command]
