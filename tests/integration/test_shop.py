"""The example shop in a browser: one's own clicks become a profile and segments, and everything ends with it."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from services.building import run_tool
from services.manager import Manager
from tests.integration.stream_jobs import ROOT
from tests.integration.test_api_clients import browse, modules

__all__ = ["modules"]
SHOP = ROOT / "examples" / "shop"


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[tuple[subprocess.Popen[str], str]]:
    if not (SHOP / "node_modules" / ".package-lock.json").exists():
        run_tool(["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"], cwd=SHOP)
    Manager().build("prism")
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port = found.getsockname()[1]
    command = [
        sys.executable,
        "-m",
        "examples.shop",
        "--isolated",
        "--port",
        str(port),
        "--folder",
        str(tmp_path / "shop"),
    ]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, start_new_session=True)
    assert process.stdout is not None
    assert "The shop is at" in process.stdout.readline()
    try:
        yield process, f"http://127.0.0.1:{port}/"
    finally:
        process.stdout.close()
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def shown(text: str) -> str:
    return f"wait:document.querySelector('#segments').textContent.includes('{text}')"


@pytest.mark.usefixtures("modules")
def test_clicks_become_segments_and_a_profile(shop: tuple[subprocess.Popen[str], str], tmp_path: Path) -> None:
    process, url = shop
    started = psutil.Process(process.pid).children(recursive=True)
    done = browse(
        url,
        "wait:analytics.initialized",
        "for (const number of [0, 2, 4, 5]) document.querySelectorAll('article button')[number].click()",
        shown("looked_around"),
        shown("full_cart"),
        "document.getElementById('buy').click()",
        shown("just_bought"),
        "document.getElementById('sign-in').click()",
        shown("gold_members"),
        "wait:document.querySelector('#profile').textContent.includes('ada@example.com')",
        "wait:document.querySelector('#log').textContent.includes('entered just_bought')",
        f"shot:{tmp_path / 'shop.png'}",
    )
    assert done["said"] == [], "the page has no complaint"
    assert (tmp_path / "shop.png").stat().st_size > 10_000
    process.send_signal(signal.SIGINT)
    assert process.wait(90) == 0
    assert [child for child in started if child.is_running() and child.status() != psutil.STATUS_ZOMBIE] == []
