"""The view of a stream: what stands on the screen for what stands in the tables."""

from pathlib import Path

from examples.shop_live.processes import remove_read_files
from examples.shop_live.snapshot import Change, Snapshot, read_snapshot
from examples.shop_live.view import describe, view
from pipelines.io.duckdb.stream_database import LiveTables
from tests.live.stream_rows import update

SECOND = 1_000_000
NOON = 1_780_056_000 * SECOND
SHOP = Snapshot(NOON, 1_200, 3, 40, {"vip": 20, "buyers": 5}, {"vip": 2}, {"buyers": 1})


def change(kind: str = "entered", cause: str = "event", events: tuple[str, ...] = ("Order Completed",)) -> Change:
    return Change(NOON, "user:ann", "vip", kind, cause, "c", events)


def test_segments_stand_in_order_of_their_size_with_what_grew_and_shrank() -> None:
    lines = view(SHOP, ["buyers", "empty", "vip"], 12.4, (40, 30), color=False)
    assert lines[0] == "Tidemark  12:00:00  1,200 events  12/s  3 failed  40 profiles"[:40]
    assert [line.split() for line in lines[2:5]] == [
        ["vip", "20", "+2", "█" * 10],
        ["buyers", "5", "-1", "██▌"],
        ["empty", "0"],
    ]


def test_nothing_is_wider_or_higher_than_the_terminal() -> None:
    snapshot = Snapshot(NOON, 1, 0, 1, {"vip": 7}, changes=tuple(change() for _ in range(50)))
    lines = view(snapshot, ["vip"], 0, (50, 20), color=False)
    assert max(map(len, lines)) <= 50
    assert len(lines) < 20


def test_a_change_tells_who_what_and_why() -> None:
    snapshot = Snapshot(NOON, 1, 0, 1, {}, changes=(change(), change("exited", "time", ())))
    entered, left = view(snapshot, [], 0, (100, 20), color=False)[-2:]
    assert entered.split() == ["12:00:00", "+", "user:ann", "vip", "Order", "Completed"]
    assert left.split() == ["12:00:00", "-", "user:ann", "vip", "time", "passed"]


def test_many_events_are_told_in_short() -> None:
    assert describe(change(events=("A", "B", "A", "C", "D"))) == "A x2, B, C ..."
    assert describe(change(cause="merge", events=("A",))) == "profiles were merged (A)"
    assert describe(change(events=())) == "event"


def test_colours_only_where_they_are_shown() -> None:
    assert "\033[" in "".join(view(SHOP, [], 1, (80, 24), color=True))
    assert "\033[" not in "".join(view(SHOP, [], 1, (80, 24), color=False))


def test_a_snapshot_is_what_the_tables_say(tmp_path: Path) -> None:
    tables = LiveTables(tmp_path)
    seen = [("a", "Product Viewed"), ("b", "Product Viewed"), ("p", None)]
    tables.apply(
        [
            *(update("events", message_id=name, event=event, type="page") for name, event in seen),
            update("profiles", profile_id="user:ann"),
            update("memberships", profile_id="user:ann", segment="vip"),
            update("memberships", profile_id="user:ann", segment="old", exited_at=5),
            *(
                update("membership_changes", change_id=str(number), segment="vip", change=kind, recorded_at=at, **more)
                for number, (kind, at, more) in enumerate(
                    [
                        ("entered", NOON - 90 * SECOND, {}),
                        ("exited", NOON - 30 * SECOND, {}),
                        ("entered", NOON, {"message_ids": ["a", "p", "gone"], "cause": "event"}),
                    ]
                )
            ),
        ]
    )
    tables.publish_database(tmp_path / "shop")
    tables.connection.close()
    snapshot = read_snapshot(tmp_path / "shop", NOON, 60 * SECOND, 2)
    assert (snapshot.events, snapshot.failed, snapshot.profiles, snapshot.members) == (3, 0, 1, {"vip": 1})
    assert (snapshot.entered, snapshot.left) == ({"vip": 1}, {"vip": 1})
    assert [one.change_id for one in snapshot.changes] == ["2", "1"], "the last first"
    assert sorted(snapshot.changes[0].events) == ["Product Viewed", "page"]


def test_only_files_that_were_read_whole_are_removed(tmp_path: Path) -> None:
    for name in ("read", "grown", "new"):
        (tmp_path / name).write_bytes(b"12345")
    journal = tmp_path / "journal"
    journal.write_text(f'{{"{tmp_path}/read": 5, "{tmp_path}/grown": 3}}\n{{"{tmp_path}/new": 5')
    assert remove_read_files(journal, tmp_path) == 1
    assert sorted(file.name for file in tmp_path.iterdir()) == ["grown", "journal", "new"]
