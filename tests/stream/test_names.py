"""What the cell of a user's name keeps."""

from transforms.identity.cells.names import NameCell
from transforms.state.facts import Message


def seen(timestamp: int, sign: int = 1) -> Message:
    return Message("names", "u", ("seen", timestamp), sign)


def asked() -> Message:
    return Message("names", "u", ("asked",))


def told(messages: list[Message]) -> list[tuple[int, int]]:
    return [(message.sign, message.fact[2]) for message in messages]


def test_a_name_is_told_only_when_an_alias_asks() -> None:
    cell = NameCell("u")
    assert told(cell.handle([seen(5), seen(3)])) == []
    assert told(cell.handle([asked()])) == [(1, 5)]
    assert told(cell.handle([seen(4)])) == []
    assert told(cell.handle([seen(5, -1)])) == [(-1, 5), (1, 4)]


def test_a_user_with_many_events_takes_no_more_room() -> None:
    cell = NameCell("u")
    for timestamp in range(10_000):
        cell.handle([seen(timestamp)])
    assert len(cell.pack()) < 4_000
    assert told(cell.handle([asked()])) == [(1, 9_999)]
    assert told(cell.handle([seen(9_999, -1), seen(2), seen(1, -1)])) == [(-1, 9_999), (1, 9_998)]
