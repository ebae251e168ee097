"""Any number of segments: the shipped ones, then the same shapes with other durations and limits."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import yaml

ROOT = Path(__file__).parent.parent
# Neither the static list, nor the one that is made of others, nor those of companies: the ten that all contenders know.
_LEFT_OUT = ("vip", "promotable", "quiet_companies", "companies_that_compare")
SHAPES = tuple(file for file in sorted((ROOT / "segments").glob("*.yaml")) if file.stem not in _LEFT_OUT)
_DURATION = re.compile(r"\b(\d+) (hour|day|week)s?\b")
_LIMIT = re.compile(r"(?<=[<>]=) (\d+)|(?<=[<>]) (\d+)")


def write_segments(folder: Path, count: int) -> None:
    """Replaces the folder by one with so many segments, the same for the same number."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for number in range(count):
        shape = SHAPES[number % len(SHAPES)]
        variant = number // len(SHAPES)
        definition = yaml.safe_load(shape.read_text())
        definition["when"] = vary(definition["when"], variant)
        name = f"{shape.stem}_{variant}" if variant else shape.stem
        (folder / f"{name}.yaml").write_text(yaml.safe_dump(definition, sort_keys=False, width=100))


def vary(rule: str, variant: int) -> str:
    """The rule with its durations and limits so many larger.

    >>> vary("event('A').within(7 days).count() >= 2", 3)
    "event('A').within(10 days).count() >= 5"
    """
    longer = _DURATION.sub(lambda found: f"{int(found[1]) + variant} {found[2]}s", rule)
    return _LIMIT.sub(lambda found: f" {int(found[1] or found[2]) + variant}", longer)
