"""`tidemark`: one command for all, that answers fast and says what there is."""

import subprocess
import sys
from pathlib import Path

import pytest

from pipelines.commands import COMMANDS, main

ROOT = Path(__file__).parent.parent.parent


def test_help_lists_every_command_and_imports_no_beam() -> None:
    script = "import sys, pipelines.commands as c; c.main(['--help']); assert 'apache_beam' not in sys.modules"
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True)
    assert [name for name in COMMANDS if name not in done.stdout] == []


def test_every_command_of_the_package_is_listed() -> None:
    files = [*(ROOT / "pipelines").glob("*.py"), *(ROOT / "api").glob("__main__.py")]
    runnable = {
        file for file in files if "def main(" in file.read_text() and '__name__ == "__main__"' in file.read_text()
    }
    modules = {"api" if file.parent.name == "api" else f"pipelines.{file.stem}" for file in runnable}
    assert {module.removesuffix(".__main__") for module, _ in COMMANDS.values()} == modules - {"pipelines.__main__"}


def test_a_command_gets_the_rest_of_the_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["profiles", "--nonsense"]) == 2
    assert "--input" in capsys.readouterr().err


def test_an_unknown_command_is_told_with_the_nearest(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["profile"]) == 2
    assert "did you mean 'profiles'?" in capsys.readouterr().err


def test_the_console_command_is_installed() -> None:
    done = subprocess.run([Path(sys.executable).with_name("tidemark"), "--help"], capture_output=True, check=True)
    assert b"tidemark COMMAND" in done.stdout
