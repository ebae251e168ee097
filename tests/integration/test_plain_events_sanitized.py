"""The compiled reader of events under the compiler's sanitizers: no byte is touched that is not its own."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

from services.building import find_tool

pytestmark = pytest.mark.integration

ROOT = Path(__file__).parents[2]
FUZZ = """
from tests.parse.nearly_good import raw_message
from tests.parse.test_plain_events import PARSERS, check
from transforms.parse import plain_events

assert plain_events.__file__.startswith({folder!r})
raws = [raw_message(seed) for seed in range(10_000)]
print(sum(check(parser, raws) for parser in PARSERS))
"""


def library(name: str) -> str:
    found = subprocess.run([find_tool("gcc"), f"-print-file-name={name}"], check=True, capture_output=True, text=True)
    return found.stdout.strip()


def test_no_byte_is_touched_that_is_not_its_own(tmp_path: Path) -> None:
    for package in ("schemas", "transforms", "tests"):
        shutil.copytree(ROOT / package, tmp_path / package, ignore=shutil.ignore_patterns("*.so", "__pycache__"))
    module = tmp_path / "transforms/parse/_plain_events"
    suffix = sysconfig.get_config_var("EXT_SUFFIX")
    flags = [
        "-fsanitize=address,undefined",
        "-fno-sanitize-recover=all",
        "-g",
        "-O1",
        "-Wall",
        "-Wextra",
        "-shared",
        "-fPIC",
    ]
    include = sysconfig.get_paths()["include"]
    subprocess.run([find_tool("gcc"), *flags, f"-I{include}", f"{module}.c", "-o", f"{module}{suffix}"], check=True)
    environment = os.environ | {
        "LD_PRELOAD": f"{library('libasan.so')} {library('libubsan.so')}",
        "ASAN_OPTIONS": "detect_leaks=0",  # Python frees little at its end
        "PYTHONMALLOC": "malloc",
        "PYTHONPATH": str(tmp_path),
    }
    fuzz = [sys.executable, "-c", FUZZ.format(folder=str(tmp_path))]
    done = subprocess.run(fuzz, check=False, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr[-3000:]
    assert int(done.stdout) > 5_000
