"""The command: what is wrong is told before anything starts; what it did is told at the end."""

import threading
from collections.abc import Iterator
from pathlib import Path

import orjson
import pytest
import uvicorn

from pipelines.pull import main
from services.processes import free_ports
from services.shop_orders import ShopOrders
from services.shop_server import make_application
from tests.pull.shop_client import ORDERS


@pytest.fixture
def shop(monkeypatch: pytest.MonkeyPatch) -> Iterator[ShopOrders]:
    """The shop, over HTTP on loopback."""
    port = free_ports("shop", ["http"], {})["http"]
    shop = ShopOrders(120, f"http://127.0.0.1:{port}")
    server = uvicorn.Server(
        uvicorn.Config(
            make_application(shop), host="127.0.0.1", port=port, log_level="critical", lifespan="off", ws="none"
        )
    )
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        assert thread.is_alive()
    for name, value in (("URL", shop.base), ("CLIENT_ID", "client"), ("CLIENT_SECRET", "secret")):
        monkeypatch.setenv(f"SHOP_{name}", value)
    yield shop
    server.should_exit = True
    thread.join()


def events_in(folder: Path) -> list[dict[str, object]]:
    return [orjson.loads(line) for file in sorted(folder.glob("*.ndjson")) for line in file.read_bytes().splitlines()]


def test_a_pull_and_another_after_a_change(
    shop: ShopOrders, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    spool, state = tmp_path / "spool", tmp_path / "orders.state"
    command = ["--source", str(ORDERS), "--events", f"spool:{spool}", "--state", str(state)]
    shop.faults = {1: "expire", 3: "lost"}
    assert main(command) == 0
    told = capsys.readouterr()
    assert "new     120" in told.out
    assert "again in 1 s" in told.err
    shop.change(1_005, total="1.00")
    assert main(command) == 0
    assert "Events    2, 1 of them take former versions back" in capsys.readouterr().out
    events = events_in(spool)
    assert len(events) == 122
    assert len({event["messageId"] for event in events}) == 122
    assert all(file.name.startswith("events-") for file in spool.iterdir()), "nothing half-written is left"


def test_a_pull_that_fails_says_so_and_goes_on_when_started_again(
    shop: ShopOrders, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["--source", str(ORDERS), "--events", f"spool:{tmp_path}", "--state", str(tmp_path / "state")]
    shop.faults = {2: "repeat", 3: "repeat"}
    assert main(command) == 1
    assert "read already" in capsys.readouterr().err
    assert main(command) == 0
    assert len({event["messageId"] for event in events_in(tmp_path)}) == 120


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--source", "nowhere.yaml"], "nowhere.yaml:1:1: cannot be read"),
        (["--events", "spol:x"], "Did you mean 'spool'?"),
        (["--events", "kafka:localhost/events"], "expected kafka:HOST:PORT"),
        (["--events", "pubsub:projects/p/subscriptions/s"], "expected pubsub:projects/PROJECT/topics/TOPIC"),
        (["--events", "amqp://me:hush@localhost/?que=x"], "unknown option 'que'"),
        (["--events", "kinesis:mars/events"], "'mars' is no region"),
        (["--since", "yesterday"], "expected an ISO 8601 date"),
    ],
)
def test_wrong_arguments_are_told_before_anything_starts(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    told: str,
) -> None:
    for name in ("URL", "CLIENT_ID", "CLIENT_SECRET"):
        monkeypatch.setenv(f"SHOP_{name}", "http://127.0.0.1:1")
    good = {"--source": str(ORDERS), "--events": f"spool:{tmp_path / 'spool'}", "--state": str(tmp_path / "state")}
    given = {**good, arguments[0]: arguments[1]}
    assert main([text for pair in given.items() for text in pair]) == 2
    err = capsys.readouterr().err
    assert told in err
    assert "hush" not in err
    assert list(tmp_path.iterdir()) == []


def test_a_missing_variable_is_told_with_its_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("URL", "CLIENT_ID", "CLIENT_SECRET"):
        monkeypatch.delenv(f"SHOP_{name}", raising=False)
    assert main(["--source", str(ORDERS), "--events", f"spool:{tmp_path}", "--state", str(tmp_path / "s")]) == 2
    assert "orders.yaml:2:6: the environment variable SHOP_URL is not set" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_an_option_that_there_is_not(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--source", "x", "--events", "y", "--sinse", "z"]) == 2
    assert "--sinse" in capsys.readouterr().err
