"""The live feed, with time passed in: about the rate that was asked for, nothing too early, no file half written."""

from pathlib import Path

import orjson
import pytest

from examples.history import make_history
from examples.shop_live.events import LiveShop, write_whole
from examples.shop_live.feed import iso_ms

START_MS = 1_790_000_000_000


def feed(shop: LiveShop, seconds: int) -> list[bytes]:
    return [message for second in range(seconds) for message in shop.until(START_MS + 1000 * second)]


def ids(messages: list[bytes]) -> set[str]:
    lines = [message for message in messages if message.endswith(b"}") and b'"messageId"' in message]
    return {message.partition(b'"messageId":"')[2][:16].decode() for message in lines}


@pytest.mark.parametrize("rate", [5, 50])
def test_rate(rate: int) -> None:
    assert len(feed(LiveShop(7, rate, START_MS), 900)) / 900 == pytest.approx(rate, rel=0.2)


def test_every_message_comes_once_and_when_it_is_due() -> None:
    shop = LiveShop(7, 50, START_MS)
    batches = [list(shop.until(START_MS + 1000 * second)) for second in range(60)]
    for second, batch in enumerate(batches):
        received = [orjson.loads(m)["receivedAt"] for m in batch if m.endswith(b'Z"}') and b"caf\xe9" not in m]
        assert all(instant <= iso_ms(START_MS + 1000 * second) for instant in received)
    assert list(shop.until(START_MS + 59_000)) == []


def test_the_same_start_gives_the_same_feed_and_another_start_other_messages() -> None:
    first, again, later = (feed(LiveShop(7, 20, START_MS + shift), 100) for shift in (0, 0, 1))
    assert first == again
    assert ids(first).isdisjoint(ids(later))


def test_it_has_the_visitors_of_the_history() -> None:
    history = b"".join(make_history(20_000, 7))
    users = {m.partition(b'"userId":"')[2][:7] for m in feed(LiveShop(7, 50, START_MS), 300) if b'"userId":"u_' in m}
    known = [user for user in users if user in history]
    assert len(known) > 10


def test_a_file_appears_whole(tmp_path: Path) -> None:
    write_whole(tmp_path / "live-1.ndjson", [b"{}", b"[]"])
    assert [file.name for file in tmp_path.iterdir()] == ["live-1.ndjson"]
    assert (tmp_path / "live-1.ndjson").read_bytes() == b"{}\n[]\n"
