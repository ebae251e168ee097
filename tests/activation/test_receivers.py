"""Webhooks and REST APIs: signed, with ids that stay, whole histories, and nowhere where they must not go."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import fakeredis
import pytest
from standardwebhooks import Webhook as OtherSide

from pipelines.io.destinations import redis as redis_destination
from pipelines.io.destinations.base import SettingsError
from pipelines.io.destinations.client import Later, Stop
from pipelines.io.destinations.guard import checked_url, guard
from pipelines.io.destinations.webhook import secret_key, signature
from services.vendors.faults import Fault
from services.vendors.receiver import Customers, WebhookReceiver
from tests.activation.world import Kill, Killed, Someone, World
from transforms.activation.destination import Destination


def hook(receiver: WebhookReceiver) -> Destination:
    settings = {"url": "http://localhost/hook", "secret": receiver.secret}
    return Destination("hook", "webhook", settings, ("news",), {"name": "first_name"})


def history() -> Destination:
    settings = {
        "url": "http://localhost",
        "collections": {"orders": {"event": "Order Completed", "fields": {"id": "order_id", "at": "timestamp"}}},
        "request": {"path": "/customers/{{ user_id }}/purchase_history", "body": {"orders": "{{ orders }}"}},
        "erase": {"method": "DELETE", "path": "/customers/{{ user_id }}/purchase_history"},
    }
    return Destination("history", "rest", settings, ("news",))


@pytest.fixture
def receiver(world: World) -> WebhookReceiver:
    made = WebhookReceiver()
    world.vendors = {"localhost": made}
    return made


@pytest.fixture
def customers(world: World) -> Customers:
    made = Customers()
    world.vendors = {"localhost": made}
    return made


def test_the_published_signature() -> None:
    key = secret_key("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    body, message_id = b'{"test": 2432232314}', "msg_p5jXN8AQM9LWM0D4loKWxJek"
    made = signature(key, message_id, 1614265330, body)
    assert made == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
    other = OtherSide("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    assert other.sign(message_id, datetime.fromtimestamp(1614265330, UTC), body.decode()) == made


def test_one_call_per_change(world: World, receiver: WebhookReceiver) -> None:
    world.people = {"user:ada": Someone(segments=("news",), first_name="Ada"), "anon:x": Someone(segments=("news",))}
    world.run(hook(receiver))
    assert receiver.members == {"news": {"user:ada", "anon:x"}}
    world.people["user:ada"].segments = ()
    world.run(hook(receiver))
    assert receiver.members == {"news": {"anon:x"}}
    kinds = [message["type"] for message in receiver.messages.values()]
    assert sorted(kinds) == ["segment.entered", "segment.entered", "segment.exited"]
    assert {"user_id": "ada", "fields": {"name": "Ada"}}.items() <= next(
        message["data"] for message in receiver.messages.values() if message["data"]["profile_id"] == "user:ada"
    ).items()


@pytest.mark.parametrize("kind", ["lost", "late"])
def test_a_retry_has_the_same_id(kind: Any, world: World, receiver: WebhookReceiver) -> None:
    world.people = {"user:ada": Someone(segments=("news",))}
    receiver.faults.ordered = [Fault(kind, request=0)]
    world.run(hook(receiver))
    assert len(receiver.asked) == 2
    assert len(receiver.messages) == 1


def test_a_run_after_a_kill_has_the_same_id(world: World, receiver: WebhookReceiver) -> None:
    world.people = {"user:ada": Someone(segments=("news",))}
    with pytest.raises(Killed):
        world.run(hook(receiver), requests=Kill(0, after=True))
    world.run(hook(receiver))
    assert len(receiver.asked) == 2
    assert len(receiver.messages) == 1
    world.people["user:ada"].segments = ()
    world.run(hook(receiver))
    world.people["user:ada"].segments = ("news",)
    world.run(hook(receiver))
    assert len(receiver.messages) == 3  # who enters again is told of again


def test_a_receiver_that_is_gone_is_left_alone(world: World, receiver: WebhookReceiver) -> None:
    world.people = {f"user:{n}": Someone(segments=("news",)) for n in range(30)}
    receiver.faults.ordered = [Fault("error", path="", status=410, times=1_000)]
    [result] = world.run(hook(receiver))
    assert not result.is_as_wanted
    assert len(receiver.asked) < 30


def test_erased_people_are_told_of(world: World, receiver: WebhookReceiver) -> None:
    world.people = {"user:ada": Someone(segments=("news",))}
    world.run(hook(receiver))
    world.people, world.deleted = {}, ["ada"]
    world.run(hook(receiver))
    assert receiver.erased == {"user:ada"}
    assert world.rows("hook") == {}


def test_a_history_is_whole(world: World, customers: Customers) -> None:
    world.people = {"user:a/da": Someone(segments=("news",))}
    world.said = [("user:a/da", "Order Completed", {"order_id": "o1"})]
    world.run(history())
    assert [order["id"] for order in customers.histories["a/da"]["orders"]] == ["o1"]
    world.said.append(("user:a/da", "Order Completed", {"order_id": "o2"}))
    world.run(history())
    assert [order["id"] for order in customers.histories["a/da"]["orders"]] == ["o1", "o2"]
    asked = len(customers.asked)
    world.run(history())
    assert len(customers.asked) == asked
    world.people, world.said, world.deleted = {}, [], ["a/da"]
    world.run(history())
    assert customers.histories == {}
    assert customers.violations == []


def test_a_public_name_must_not_lead_into_a_private_network() -> None:
    check = guard(False, lambda _: ["93.184.216.34", "10.0.0.7"])
    with pytest.raises(Stop, match="private network"):
        check("https://example.com/hook")
    guard(True, lambda _: ["10.0.0.7"])("https://example.com/hook")
    guard(False, lambda _: ["93.184.216.34"])("https://example.com/hook")
    guard(False, lambda _: [])("http://127.0.0.1:8000/hook")  # as the file itself says

    def unknown(_: str) -> list[str]:
        raise OSError

    with pytest.raises(Later):
        guard(False, unknown)("https://example.com/hook")


@pytest.mark.parametrize("url", ["ftp://example.com", "example.com", "http://169.254.169.254/latest", 7])
def test_urls_that_are_none(url: object) -> None:
    with pytest.raises(SettingsError):
        checked_url(url)


@pytest.mark.parametrize("secret", ["whsec_not base64", "whsec_a"])
def test_secrets_that_are_none(secret: str) -> None:
    with pytest.raises(SettingsError):
        secret_key(secret)


def test_redis_holds_who_is_in_what(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    server = fakeredis.FakeRedis(decode_responses=True)
    monkeypatch.setattr(redis_destination, "connect_cache", lambda _: server)
    shop = Destination("shop", "redis", {"url": "redis://localhost:6379/0"}, ("news", "vip"))
    world.people = {"user:ada": Someone(segments=("news", "vip")), "user:bob": Someone(segments=("vip",))}
    world.run(shop)
    assert _segments(server, "user:ada") == {"news", "vip"}
    assert _segments(server, "user:bob") == {"vip"}
    world.people["user:ada"].segments = ("news",)
    del world.people["user:bob"]
    world.watch.sleep(1)
    [result] = world.run(shop)
    assert result.is_as_wanted
    assert _segments(server, "user:ada") == {"news"}
    assert _segments(server, "user:bob") == set()


def _segments(server: Any, profile_id: str) -> set[str]:
    return {name for name in server.hgetall(f"tidemark:{profile_id}:s") if not name.startswith("_")}
