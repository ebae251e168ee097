"""Empty folders for definition files, which a test fills."""

from pathlib import Path

import pytest


@pytest.fixture
def folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working directory, with `segments/` and `traits/` in it."""
    monkeypatch.chdir(tmp_path)
    Path("segments").mkdir()
    Path("traits").mkdir()
    return tmp_path
