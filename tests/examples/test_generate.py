"""The generator: the same arguments, the same shop; every format, any number of files."""

import subprocess
import sys
from pathlib import Path

import orjson
import pytest

from examples.broken import BROKEN_KINDS
from examples.formats import FORMATS
from examples.generate import main
from examples.history import make_history
from examples.plan import Plan, visitor_sizes
from schemas.event import Failure
from tests.examples.files import read_messages

ROOT = Path(__file__).parents[2]


def test_the_same_arguments_give_the_same_messages() -> None:
    assert list(make_history(2000, 3)) == list(make_history(2000, 3))
    assert set(make_history(2000, 3)).isdisjoint(make_history(2000, 4))


@pytest.mark.parametrize("events", [1, 10, 999, 5000])
def test_there_are_as_many_as_asked_for(events: int) -> None:
    assert sum(1 for _ in make_history(events, 1)) == events


@pytest.mark.parametrize("days", [1, 7, 400])
def test_any_period(days: int) -> None:
    assert sum(1 for _ in make_history(500, 1, days)) == 500


def test_messages_are_in_the_order_of_arrival() -> None:
    """Each at its first arrival: a copy to the byte says when the original arrived."""
    received = [orjson.loads(message)["receivedAt"] for message in dict.fromkeys(make_history(3000, 1, broken=0))]
    assert received == sorted(received)


def test_event_times_are_only_nearly_in_order() -> None:
    times = [orjson.loads(message).get("timestamp", "") for message in make_history(20_000, 1, broken=0)]
    known = list(filter(None, times))
    assert known != sorted(known)
    assert len(known) < len(times), "some have no timestamp of their own"


@pytest.mark.parametrize("kind", FORMATS)
def test_every_format_holds_the_same(kind: str, tmp_path: Path) -> None:
    assert main(["--events", "700", "--seed", "2", "--shards", "3", "--format", kind, "--output", str(tmp_path)]) == 0
    assert sum(file.name.endswith(f"of-00003.{kind}") for file in tmp_path.iterdir()) == 3
    read = read_messages(tmp_path)
    assert not any(isinstance(message, Failure) for message in read)
    texts = [message for message in read if isinstance(message, bytes)]
    assert sorted(map(canonical, texts)) == sorted(map(canonical, make_history(700, 2)))


def canonical(message: bytes) -> bytes:
    try:
        return orjson.dumps(orjson.loads(message), option=orjson.OPT_SORT_KEYS)
    except orjson.JSONDecodeError:
        return message


def test_files_are_the_same_to_the_byte(tmp_path: Path) -> None:
    for name in ("a", "b"):
        main(["--events", "400", "--format", "mixed", "--output", str(tmp_path / name)])
    first, second = ({file.name: file.read_bytes() for file in (tmp_path / name).iterdir()} for name in ("a", "b"))
    assert first == second


@pytest.mark.parametrize("argument", ["--events=0", "--days=-1", "--shards=0", "--rate=0", "--format=csv"])
def test_wrong_arguments_are_refused(argument: str, tmp_path: Path) -> None:
    with pytest.raises(SystemExit) as refused:
        main(["--output", str(tmp_path), argument])
    assert refused.value.code == 2
    assert list(tmp_path.iterdir()) == []


def test_it_is_a_command(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "examples.generate", "--events", "50", "--output", str(tmp_path / "shop")]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout == f"50 events in {tmp_path / 'shop'}\n"
    assert len(read_messages(tmp_path / "shop")) == 50


def test_sizes_of_visitors_keep_their_shape_at_any_scale() -> None:
    for total in (10_000, 500_000):
        sizes = visitor_sizes(total)
        assert sum(sizes) == pytest.approx(total, rel=0.01)
        assert sum(size <= 6 for size in sizes) / len(sizes) == pytest.approx(0.5, abs=0.04)
        assert sum(size > 280 for size in sizes) / len(sizes) == pytest.approx(0.01, abs=0.002)


def test_a_plan_takes_a_few_bytes_for_each_visit() -> None:
    """Memory stays flat because of this: the plan of a million events has 150,000 visits of 25 bytes."""
    plan = Plan(50_000, 1, 0, 42 * 86_400_000)
    assert len(plan) < 50_000 / 6
    starts = [visit.start_ms for visit in plan]
    assert starts == sorted(starts)


def test_every_way_to_break_a_message_comes_once_in_two_hundred() -> None:
    assert len(BROKEN_KINDS) == 200
