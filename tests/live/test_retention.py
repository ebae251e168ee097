"""What a stream says about its state when it starts."""

from pathlib import Path

import pytest

from pipelines.options.profiles import parse_profiles_options
from pipelines.words.retention import retention_lines


def lines(tmp_path: Path, *more: str) -> list[str]:
    segments = tmp_path / "segments"
    segments.mkdir(exist_ok=True)
    (segments / "warm.yaml").write_text("description: A.\nwhen: event('Product Viewed').within(3 days).count() >= 1\n")
    (segments / "wide.yaml").write_text(
        "description: A.\nwhen: event('Product Viewed').unique(property('product_id')).exists()\n"
    )
    arguments = [
        "--input",
        f"watch:{tmp_path}/*",
        "--segments",
        str(segments),
        "--output",
        f"duckdb:{tmp_path}/t.duckdb",
    ]
    return list(retention_lines(parse_profiles_options([*arguments, *more])))


def test_each_rule_says_what_it_keeps(tmp_path: Path) -> None:
    first, warm, wide = lines(tmp_path)
    assert first.startswith("State keeps events for 60 days (--allowed_lateness and --stitch_window); older ones go to")
    assert warm == "  warm  keeps 'Product Viewed' events for 3 days (bounded)"
    assert wide.endswith("(grows with the profile)")


@pytest.mark.parametrize(("more", "days"), [((), "40"), (("--history", "drop"), "40")])
def test_the_horizon_follows_the_options(tmp_path: Path, more: tuple[str, ...], days: str) -> None:
    first = lines(tmp_path, "--allowed_lateness", "10 days", *more)[0]
    assert f"for {days} days" in first
    assert ("are dropped" in first) is bool(more)
