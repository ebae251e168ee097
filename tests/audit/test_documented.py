"""Every check has its row in docs/audit.md."""

from pathlib import Path

from transforms.audit.checks import BOT, CHECKS

PAGE = Path(__file__).parents[2] / "docs" / "audit.md"


def test_every_check_is_documented() -> None:
    text = PAGE.read_text()
    assert [check.name for check in (BOT, *CHECKS) if f"| `{check.name}` |" not in text] == []


def test_every_check_is_one_file() -> None:
    folder = PAGE.parents[1] / "transforms" / "audit" / "checks"
    assert {file.stem for file in folder.glob("*.py")} - {"__init__"} == {check.name for check in (BOT, *CHECKS)}
