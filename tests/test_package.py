"""The package that Beam ships to its workers holds every module and every file that the modules read."""

import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

ROOT = Path(__file__).parent.parent
LAYERS = ("schemas", "transforms", "pipelines")


def test_the_wheel_holds_every_file_of_the_layers(tmp_path: Path) -> None:
    copy = tmp_path / "source"
    for layer in LAYERS:
        shutil.copytree(ROOT / layer, copy / layer, ignore=shutil.ignore_patterns("__pycache__", ".*"))
    for name in ("setup.py", "pyproject.toml", "LICENSE"):
        shutil.copy(ROOT / name, copy / name)
    expected = {
        str(file.relative_to(copy)) for layer in LAYERS for file in (copy / layer).rglob("*.*") if file.is_file()
    }

    build = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "-w", str(tmp_path)]
    subprocess.run([*build, str(copy)], check=True, capture_output=True)

    (wheel,) = tmp_path.glob("tidemark-*.whl")
    assert expected - set(zipfile.ZipFile(wheel).namelist()) == set()
