"""The view of a running stream, as lines of text: how segments grow and shrink, what changed last, and why."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

from examples.shop_live.snapshot import Change, Snapshot
from schemas.text import plain

_RESET, _BOLD, _DIM, _GREEN, _RED, _CYAN = "\033[0m", "\033[1m", "\033[2m", "\033[32m", "\033[31m", "\033[36m"
_EIGHTHS = " ▏▎▍▌▋▊▉█"
_SIGNS = {"entered": ("+", _GREEN), "exited": ("-", _RED), "retracted": ("x", _RED)}
_CAUSES = {
    "event": "",
    "time": "time passed",
    "late_event": "a late event corrected it",
    "merge": "profiles were merged",
    "segment_changed": "the rule changed",
    "segment_expired": "the segment expired",
    "deleted": "the profile was deleted",
}
_MOST_NAMES = 3
_MOST_ID = 28


def view(
    snapshot: Snapshot, segments: Sequence[str], per_second: float, size: tuple[int, int], *, color: bool
) -> list[str]:
    """The lines of the view, none wider than the terminal.

    Args:
        snapshot: the tables.
        segments: names of all segments, those without members too.
        per_second: events that came in, per second.
        size: columns and lines of the terminal.
        color: whether to use escape sequences.
    """
    width, height = size
    lines = [_head(snapshot, per_second, width, color), ""]
    lines += _segments(snapshot, segments, width, color)
    room = height - len(lines) - 4
    lines += ["", _paint("last changes", _BOLD, color)]
    shown = [_change(change, width, color) for change in snapshot.changes[: max(room, 1)]]
    return lines + (shown or [_paint("none yet", _DIM, color)])


def describe(change: Change) -> str:
    """Why a membership changed, in words.

    >>> describe(Change(0, "user:a", "vip", "entered", "event", "c", ("Order Completed",) * 2))
    'Order Completed x2'
    """
    events = [plain(name) for name in change.events]
    counted = [name if events.count(name) == 1 else f"{name} x{events.count(name)}" for name in dict.fromkeys(events)]
    told = ", ".join(counted[:_MOST_NAMES]) + (" ..." if len(counted) > _MOST_NAMES else "")
    cause = _CAUSES.get(change.cause, change.cause)
    return f"{cause} ({told})" if cause and told else cause or told or "event"


def _head(snapshot: Snapshot, per_second: float, width: int, color: bool) -> str:
    clock = _time(snapshot.read_at_us)
    text = (
        f"Tidemark  {clock}  {snapshot.events:,} events  {per_second:,.0f}/s  "
        f"{snapshot.failed:,} failed  {snapshot.profiles:,} profiles"
    )
    return _paint(text[:width], _BOLD, color)


def _segments(snapshot: Snapshot, segments: Sequence[str], width: int, color: bool) -> Iterator[str]:
    names = sorted({*segments, *snapshot.members}, key=lambda name: (-snapshot.members.get(name, 0), name))
    longest = max((len(name) for name in names), default=0)
    most = max(snapshot.members.values(), default=0)
    room = max(width - longest - 24, 4)
    for name in names:
        members = snapshot.members.get(name, 0)
        bar = _bar(members, most, room)
        entered, left = snapshot.entered.get(name, 0), snapshot.left.get(name, 0)
        grown = _paint(f"{f'+{entered}' if entered else '':>5}", _GREEN, color)
        shrunk = _paint(f"{f'-{left}' if left else '':>5}", _RED, color)
        yield f"{name:<{longest}} {members:>7,} {grown} {shrunk}  {_paint(bar, _CYAN, color)}".rstrip()


def _bar(value: int, most: int, room: int) -> str:
    eighths = round(8 * room * value / most) if most else 0
    return "█" * (eighths // 8) + (_EIGHTHS[eighths % 8] if eighths % 8 else "")


def _change(change: Change, width: int, color: bool) -> str:
    sign, paint = _SIGNS.get(change.change, ("?", _DIM))
    who = plain(change.profile_id, _MOST_ID)
    text = f"{_time(change.at_us)} {sign} {who:<{_MOST_ID}} {change.segment:<24} {describe(change)}"[:width]
    return text.replace(f" {sign} ", f" {_paint(sign, paint, color)} ", 1)


def _time(us: int) -> str:
    return datetime.fromtimestamp(us // 1_000_000, UTC).strftime("%H:%M:%S")


def _paint(text: str, paint: str, color: bool) -> str:
    return f"{paint}{text}{_RESET}" if color and text else text
