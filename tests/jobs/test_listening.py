"""While a job runs, none of its processes listens to anybody but this machine."""

from __future__ import annotations

import ipaddress
import json
import os
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil

from tests.jobs.job import run_command

BETWEEN_LOOKS_SECONDS = 0.05


def listening(pid: int) -> set[str]:
    """The addresses at which the process and its children listen."""
    found: set[str] = set()
    try:
        root = psutil.Process(pid)
        for process in (root, *root.children(recursive=True)):
            found |= {c.laddr.ip for c in process.net_connections(kind="tcp") if c.status == psutil.CONN_LISTEN}
    except psutil.NoSuchProcess:
        pass
    return found


def test_worker_processes_are_served_on_loopback_only(tmp_path: Path) -> None:
    (tmp_path / "segments").mkdir()
    (tmp_path / "segments" / "s.yaml").write_text(json.dumps({"when": "event('Order Completed').count() >= 1"}))
    event = {"messageId": "a", "type": "track", "event": "Order Completed", "userId": "ann"}
    (tmp_path / "1.ndjson").write_text(json.dumps(event | {"timestamp": "2026-01-05T10:00:00Z"}) + "\n")
    arguments = ["--input", f"{tmp_path}/1.ndjson", "--segments", f"{tmp_path}/segments"]
    arguments += ["--output", f"duckdb:{tmp_path}/out.duckdb"]
    arguments += ["--direct_running_mode=multi_processing", "--direct_num_workers=2"]
    found: set[str] = set()
    done = threading.Event()

    def look() -> None:
        while not done.wait(BETWEEN_LOOKS_SECONDS):
            found.update(listening(os.getpid()))

    with ThreadPoolExecutor(1) as beside:
        looked = beside.submit(look)
        try:
            ran = run_command(tmp_path / "out.duckdb", *arguments)
        finally:
            done.set()
        looked.result()
    assert ran.status == 0, ran.err
    assert found, "it was looked at while it ran"
    assert all(is_loopback(ipaddress.ip_address(address)) for address in found), found


def is_loopback(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bool:
    """gRPC's sockets are of both families, so that 127.0.0.1 is written ::ffff:127.0.0.1."""
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return (mapped or address).is_loopback
