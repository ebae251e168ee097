"""What the job says of itself at its end: time that has not come, lists with ids that nobody has."""

from __future__ import annotations

import json
from pathlib import Path

from tests.jobs.job import run_job, write_lines


def shop(folder: Path, *, years: tuple[int, ...]) -> None:
    (folder / "segments").mkdir()
    (folder / "segments" / "vip.yaml").write_text("members_file: vip.csv\n")
    (folder / "segments" / "vip.csv").write_text("\ufeffname;user_id\nAnn;ann\nEve;eve\nZed;zed\n")
    order = {"type": "track", "event": "Order Completed", "userId": "ann"}
    lines = [order | {"messageId": str(year), "timestamp": f"{year}-06-30T12:00:00Z"} for year in years]
    write_lines(folder / "events", [json.loads(json.dumps(line)) for line in lines])


def words(text: str) -> str:
    return " ".join(text.split())


def test_time_that_has_not_come_is_told(tmp_path: Path) -> None:
    shop(tmp_path, years=(2020, 2098, 2099))
    ran = run_job(tmp_path)
    assert ran.status == 0, ran.err
    assert "Note: 2 events lie in the future of this machine's clock" in words(ran.out)
    assert "told as of: 30 June 2099 12:00. For windows that end now, give --as_of 2020-06-30T12:00:00Z" in words(
        ran.out
    )


def test_time_that_was_asked_for_is_not(tmp_path: Path) -> None:
    shop(tmp_path, years=(2020, 2099))
    assert "in the future" not in run_job(tmp_path, "--as_of", "2099-12-31T00:00:00Z").out


def test_ids_of_a_list_that_no_event_has_are_counted(tmp_path: Path) -> None:
    shop(tmp_path, years=(2020,))
    ran = run_job(tmp_path)
    assert "Note: vip: no event has 2 of the 3 ids of its list" in words(ran.out)
    assert "zed" not in ran.out
    assert [row["profile_id"] for row in ran.tables()["memberships"]] == ["user:ann"]
