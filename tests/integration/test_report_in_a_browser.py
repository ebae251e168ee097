"""The report in a real browser: it opens from disk, fits a phone and a desktop, and says nothing to the console."""

from __future__ import annotations

import html
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from PIL import Image

from examples.history import make_history
from pipelines import profiles, report
from services.building import find_tool

pytestmark = pytest.mark.integration

ROOT = Path(__file__).parents[2]
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
    "--hide-scrollbars",
    "--host-resolver-rules=MAP * ~NOTFOUND",
    "--enable-logging=stderr",
)
PHONE, DESKTOP = 390, 1280


@pytest.fixture(scope="module")
def browser() -> str:
    return next(filter(None, map(shutil.which, BROWSERS)), None) or find_tool("chromium")


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("browser")
    (folder / "events.ndjson").write_bytes(b"\n".join(make_history(3_000, 5, 30, 0.02)) + b"\n")
    definitions = ["--segments", str(ROOT / "segments"), "--traits", str(ROOT / "traits")]
    tables = f"duckdb:{folder / 'shop.duckdb'}"
    assert profiles.main(["--input", str(folder / "events.ndjson"), *definitions, "--output", tables]) == 0
    assert report.main(["--input", tables, "--output", str(folder / "report.html"), *definitions]) == 0
    return folder / "report.html"


def run(browser: str, folder: Path, page: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [browser, *FLAGS, f"--user-data-dir={folder / 'browser'}", *arguments, page.as_uri()]
    return subprocess.run(command, check=True, capture_output=True, text=True, timeout=120)


def frame(folder: Path, page: Path, width: int) -> Path:
    """The page in a frame of a given width (a headless window cannot be as narrow as a phone), and what it measures."""
    path = folder / f"frame-{width}.html"
    path.write_text(f"""<!doctype html><body style="margin:0"><p id="found"></p>
    <iframe style="border:0" width="{width}" height="8000"
    srcdoc="{html.escape(page.read_text(), quote=True)}"></iframe>
    <script>addEventListener("load", () => {{
      const inside = document.querySelector("iframe").contentDocument;
      const small = [...inside.querySelectorAll("svg text")].map(text => text.getBoundingClientRect().height);
      document.querySelector("#found").textContent = [
        inside.documentElement.scrollWidth, inside.querySelectorAll("svg").length, Math.min(...small),
        [...inside.querySelectorAll("svg")].filter(chart => chart.getBoundingClientRect().width < 200).length,
      ].join(" ");
    }});</script>""")
    return path


@pytest.mark.parametrize("width", [PHONE, DESKTOP])
def test_the_page_fits_the_screen(browser: str, page: Path, tmp_path: Path, width: int) -> None:
    done = run(browser, tmp_path, frame(tmp_path, page, width), "--dump-dom")
    found = re.search(r'<p id="found">(\S+) (\S+) (\S+) (\S+)</p>', done.stdout)
    assert found, done.stdout[-500:] + done.stderr[-500:]
    scroll_width, charts, smallest_text, narrow_charts = map(float, found.groups())
    assert scroll_width <= width, "nothing is wider than the screen"
    assert charts >= 12
    assert narrow_charts == 0
    assert smallest_text >= 9, "every label of a chart can be read"
    assert "CONSOLE" not in done.stderr


@pytest.mark.parametrize("width", [500, DESKTOP])
def test_the_page_paints_its_charts(browser: str, page: Path, tmp_path: Path, width: int) -> None:
    picture = tmp_path / "report.png"
    done = run(browser, tmp_path, page, f"--window-size={width},3000", f"--screenshot={picture}")
    with Image.open(picture) as image:
        assert image.size == (width, 3000)
        colours = image.convert("RGB").getcolors(maxcolors=1 << 24)
    counts = {colour: count for count, colour in colours or ()}
    blue, green, coral = (0x2F, 0x6F, 0xDE), (0x2A, 0x9D, 0x8F), (0xE4, 0x57, 0x2E)
    assert min(counts.get(colour, 0) for colour in (blue, green, coral)) > 200, "lines, entries and exits are drawn"
    assert "CONSOLE" not in done.stderr
