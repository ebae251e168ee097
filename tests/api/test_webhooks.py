"""Webhooks: the vendors' own examples, what is forged, what comes twice, and mistakes in a definition."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlencode

import httpx
import pytest
from standardwebhooks import Webhook

from schemas.errors import DefinitionErrors
from schemas.event import Event
from schemas.tracking_plan import load_tracking_plan
from tests.api.served import ask, kept, options, run
from transforms.parse import EventParser
from transforms.webhooks.files import load_webhook, load_webhooks
from transforms.webhooks.signatures import Call, Signature, is_signed

SHIPPED = Path(__file__).parents[2] / "webhooks"
SENDGRID_KEY = (
    "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE83T4O/n84iotIvIW4mdBgQ/7dAfSmpqIM8kF9mN1flpVKS3GRqe62gw+2fNN"
    "RaINXvVpiglSI8eNEc6wEA3F+g=="
)
SENDGRID_BODY = (
    b'[{"email":"hello@world.com","event":"dropped","reason":"Bounced Address",'
    b'"sg_event_id":"ZHJvcC0xMDk5NDkxOS1MUnpYbF9OSFN0T0doUTRrb2ZTbV9BLTA",'
    b'"sg_message_id":"LRzXl_NHStOGhQ4kofSm_A.filterdrecv-p3mdw1-756b745b58-kmzbl-18-5F5FC76C-9.0",'
    b'"smtp-id":"<LRzXl_NHStOGhQ4kofSm_A@ismtpd0039p1iad1.sendgrid.net>","timestamp":1600112492}]\r\n'
)
SENDGRID_SIGNED = {
    "X-Twilio-Email-Event-Webhook-Signature": "MEUCIGHQVtGj+Y3LkG9fLcxf3qfI10QysgDWmMOVmxG0u6ZUAiEAyBiXDWzM"
    "+uOe5W0JuG+luQAbPIqHh89M15TluLtEZtM=",
    "X-Twilio-Email-Event-Webhook-Timestamp": "1600112502",
}
SECRETS = {
    "SHOPIFY_WEBHOOK_SECRET": "new",
    "SHOPIFY_WEBHOOK_SECRET_OLD": "old",
    "STRIPE_WEBHOOK_SECRET": "whsec_stripe",
    "SENDGRID_PUBLIC_KEY": SENDGRID_KEY,
    "MAILCHIMP_WEBHOOK_SECRET": "m",
    "SIGNED_WEBHOOK_SECRET": "s",
}
ORDER = {
    "id": 820982911946154508,
    "name": "#9999",
    "created_at": "2026-06-30T14:03:00-04:00",
    "customer": {"id": 115310627314723954},
    "currency": "EUR",
    "total_price": "403.00",
    "line_items": [{"product_id": 7, "title": "IPod Nano", "price": "199.00", "quantity": 2, "sku": "IPOD"}],
}
CHARGE = {
    "id": "evt_1",
    "type": "charge.succeeded",
    "created": 1782820980,
    "data": {"object": {"id": "ch_1", "amount": 1099, "currency": "eur", "metadata": {"user_id": "u1"}}},
}


def served(folder: Path, **secrets: str) -> object:
    definitions, _ = load_webhooks(SHIPPED, secrets or SECRETS)
    return options(folder, webhooks=definitions)


def post(folder: Path, name: str, body: bytes, headers: dict[str, str], **secrets: str) -> httpx.Response:
    return ask(served(folder, **secrets), "POST", f"/webhooks/{name}", content=body, headers=headers)  # type: ignore[arg-type]


def shopify(body: bytes, topic: str = "orders/create", secret: str = "new") -> dict[str, str]:  # noqa: S107
    digest = hmac.new(secret.encode(), body, hashlib.sha256).digest()
    return {
        "X-Shopify-Hmac-SHA256": base64.b64encode(digest).decode(),
        "X-Shopify-Topic": topic,
        "X-Shopify-Webhook-Id": "b54557e4-bdd9-4b37-8a5f-bf7d70bcd043",
    }


def stripe(body: bytes, at: float, secret: str = "whsec_stripe") -> dict[str, str]:  # noqa: S107
    signed = hmac.new(secret.encode(), f"{at:.0f}.".encode() + body, hashlib.sha256).hexdigest()
    return {"Stripe-Signature": f"t={at:.0f},v1={'0' * 64},v1={signed},v0=x"}


@pytest.mark.parametrize("secret", ["new", "old"])
def test_an_order_of_shopify_is_an_event_whichever_secret_signed_it(tmp_path: Path, secret: str) -> None:
    body = json.dumps(ORDER).encode()
    assert post(tmp_path, "shopify_orders", body, shopify(body, secret=secret)).status_code == 200
    (event,) = kept(tmp_path)
    assert (event["event"], event["userId"]) == ("Order Completed", "115310627314723954")
    assert (event["messageId"], event["timestamp"]) == ("b54557e4-bdd9-4b37-8a5f-bf7d70bcd043", "2026-06-30T18:03:00Z")
    assert event["properties"]["total"] == 403
    assert event["properties"]["products"] == [
        {"product_id": "7", "sku": "IPOD", "name": "IPod Nano", "price": 199, "quantity": 2}
    ]


def test_the_same_call_again_is_the_same_event(tmp_path: Path) -> None:
    body = json.dumps(ORDER).encode()

    async def story(client: httpx.AsyncClient) -> None:
        for _ in range(2):
            done = await client.post("/webhooks/shopify_orders", content=body, headers=shopify(body))
            assert done.status_code == 200

    run(served(tmp_path), story)  # type: ignore[arg-type]
    first, second = ({**event, "receivedAt": ""} for event in kept(tmp_path))
    assert first == second


def test_a_customer_of_shopify_is_an_identify(tmp_path: Path) -> None:
    body = (
        b'{"id": 5, "email": "a@b.example", "first_name": "Ada", "updated_at": "2026-06-30T14:03:00Z", "tags": "a, b"}'
    )
    headers = shopify(body, "customers/update")
    assert post(tmp_path, "shopify_customers", body, headers).status_code == 200
    (event,) = kept(tmp_path)
    assert (event["type"], event["userId"]) == ("identify", "5")
    assert event["traits"] == {"email": "a@b.example", "firstName": "Ada", "tags": ["a", "b"]}


def test_a_charge_of_stripe_is_in_the_main_unit(tmp_path: Path) -> None:
    body = json.dumps(CHARGE, indent=2).encode()
    assert post(tmp_path, "stripe_charges", body, stripe(body, time.time())).status_code == 200
    (event,) = kept(tmp_path)
    assert (event["messageId"], event["event"], event["userId"]) == ("evt_1", "Charge Succeeded", "u1")
    assert event["properties"]["revenue"] == 10.99
    assert event["properties"]["currency"] == "EUR"


@pytest.mark.parametrize("late", [-301, 301])
def test_a_signature_of_stripe_grows_old(tmp_path: Path, late: int) -> None:
    body = json.dumps(CHARGE).encode()
    assert post(tmp_path, "stripe_charges", body, stripe(body, time.time() + late)).status_code == 401
    assert kept(tmp_path) == []


def test_sendgrid_signs_every_byte(tmp_path: Path) -> None:
    assert post(tmp_path, "sendgrid_events", SENDGRID_BODY, SENDGRID_SIGNED).status_code == 200
    (event,) = kept(tmp_path)
    assert (event["event"], event["userId"]) == ("Email Bounced", "hello@world.com")
    assert event["messageId"] == "ZHJvcC0xMDk5NDkxOS1MUnpYbF9OSFN0T0doUTRrb2ZTbV9BLTA"
    assert event["timestamp"] == "2020-09-14T19:41:32Z"
    assert post(tmp_path, "sendgrid_events", SENDGRID_BODY.rstrip(), SENDGRID_SIGNED).status_code == 401


MAILCHIMP = {
    "type": "unsubscribe",
    "fired_at": "2026-03-26 21:40:57",
    "data[action]": "unsub",
    "data[reason]": "manual",
    "data[id]": "8a25ff1d98",
    "data[list_id]": "a6b5da1054",
    "data[email]": "api+unsub@mailchimp.com",
    "data[merges][FNAME]": "Mailchimp",
}


def test_mailchimp_asks_and_sends_forms(tmp_path: Path) -> None:
    async def story(client: httpx.AsyncClient) -> None:
        assert (await client.get("/webhooks/mailchimp")).status_code == 200
        assert (await client.head("/webhooks/mailchimp")).status_code == 200
        form = urlencode(MAILCHIMP).encode()
        for secret, status in (("m", 200), ("m", 200), ("x", 401), ("", 401)):
            done = await client.post("/webhooks/mailchimp", params={"secret": secret}, content=form)
            assert done.status_code == status

    run(served(tmp_path), story)  # type: ignore[arg-type]
    event, again = kept(tmp_path)
    assert event["messageId"] == again["messageId"]
    assert (event["event"], event["userId"]) == ("Unsubscribed", "api+unsub@mailchimp.com")
    assert event["timestamp"] == "2026-03-26T21:40:57Z"
    assert event["properties"]["list_id"] == "a6b5da1054"


def test_whoever_subscribes_is_known_by_their_name(tmp_path: Path) -> None:
    form = urlencode({**MAILCHIMP, "type": "subscribe"}).encode()
    given = {"content": form, "params": {"secret": "m"}}
    assert ask(served(tmp_path), "POST", "/webhooks/mailchimp", **given).status_code == 200  # type: ignore[arg-type]
    track, identify = kept(tmp_path)
    assert (track["event"], identify["traits"]["firstName"]) == ("Subscribed", "Mailchimp")
    assert track["messageId"] != identify["messageId"]


@pytest.mark.parametrize("body", [b'{"type":"page","userId":"u"}', b'{"batch":[{"type":"page","userId":"u"}]}'])
def test_any_system_that_signs_may_send_events(tmp_path: Path, body: bytes) -> None:
    signed = {"X-Signature": hmac.new(b"s", body, hashlib.sha256).hexdigest()}
    assert post(tmp_path, "signed", body, signed).status_code == 200
    assert [(event["type"], event["userId"]) for event in kept(tmp_path)] == [("page", "u")]


@pytest.mark.parametrize("name", sorted(path.stem for path in SHIPPED.glob("*.yaml")))
@pytest.mark.parametrize(
    "headers", [{}, {"X-Shopify-Hmac-SHA256": "x", "Stripe-Signature": "t=1", "X-Signature": "zz"}]
)
def test_what_is_not_signed_is_not_kept(tmp_path: Path, name: str, headers: dict[str, str]) -> None:
    response = post(tmp_path, name, b'{"id": "x", "type": "page"}', headers)
    assert (response.status_code, response.json()["code"]) == (401, "bad_signature")
    assert kept(tmp_path) == []


def test_a_webhook_without_a_secret_is_off(tmp_path: Path) -> None:
    response = post(tmp_path, "stripe_charges", b"{}", {}, OTHER="x")
    assert (response.status_code, response.json()["code"]) == (503, "webhook_off")


def test_standard_webhooks_of_the_library_and_of_its_documentation() -> None:
    secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"  # noqa: S105 - the documentation's
    signature = Signature("standard", (secret,))
    body = b'{"test": 2432232314}'
    headers = {
        "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
        "webhook-timestamp": "1614265330",
        "webhook-signature": "v1,aaaa v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    }
    at_us = 1614265330 * 1_000_000
    assert is_signed(signature, Call(headers, {}, body, at_us + 300_000_000))
    assert not is_signed(signature, Call(headers, {}, body, at_us + 300_000_001))
    assert not is_signed(signature, Call(headers, {}, body + b" ", at_us))
    now = datetime(2026, 3, 1, tzinfo=UTC)
    made = {**headers, "webhook-timestamp": f"{now.timestamp():.0f}"}
    made["webhook-signature"] = Webhook(secret).sign(headers["webhook-id"], now, body.decode())
    assert is_signed(signature, Call(made, {}, body, int(now.timestamp()) * 1_000_000))


def test_a_token_and_basic_are_compared_whole() -> None:
    token = Signature("token", ("s",), header="authorization", prefix="Bearer ")
    basic = Signature("basic", ("user:word",))
    encoded = base64.b64encode(b"user:word").decode()
    for given, expected in (
        ("Bearer s", (True, False)),
        (f"Basic {encoded}", (False, True)),
        ("Bearer", (False, False)),
    ):
        call = Call({"authorization": given}, {}, b"", 0)
        assert (is_signed(token, call), is_signed(basic, call)) == expected


def test_what_shipped_webhooks_make_are_events(tmp_path: Path) -> None:
    """The events of every example pass the parser of the job."""
    body, charge = json.dumps(ORDER).encode(), json.dumps(CHARGE).encode()
    post(tmp_path, "shopify_orders", body, shopify(body))
    post(tmp_path, "stripe_charges", charge, stripe(charge, time.time()))
    post(tmp_path, "sendgrid_events", SENDGRID_BODY, SENDGRID_SIGNED)
    parser = EventParser(load_tracking_plan())
    lines = [line for file in tmp_path.glob("*.ndjson") for line in file.read_bytes().splitlines()]
    assert [type(parser.parse(line, "spool")) for line in lines] == [Event] * 3


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("events: []", "w.yaml:1:1: the webhook has no signature"),
        ("signature: {kind: hmack, secrets: [$A]}\nevents: [{map: event}]", "did you mean 'hmac'?"),
        ("signature: {kind: hmac, secrets: [$A]}\nevents: [{map: event}]", "w.yaml:1:12: signature has no header"),
        ("signature: {kind: basic, secrets: [abc]}\nevents: [{map: event}]", "w.yaml:1:36: a secret stands in no file"),
        ("signature: {kind: token, secrets: [$A]}\nevents: [{map: event}]", "w.yaml:1:12: a token comes in a header"),
        ("signature: {kind: basic, secrets: [$A]}\nevents: [{map: {tpye: track}}]", "did you mean 'type'?"),
        ("signature: {kind: basic, secrets: [$A]}\nevents: {}", "w.yaml:2:9: this is no list"),
        ("signature: {kind: basic, secrets: [$A], algorithm: sha1}\nevents: [{map: event}]", "unknown key 'algorithm'"),
        (
            "signature: {kind: ecdsa, header: a, timestamp_header: b, secrets: [$A]}\nevents: [{map: event}]",
            "no public key",
        ),
        ("signatur: {}", "did you mean 'signature'?"),
    ],
)
def test_mistakes_have_a_place(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "w.yaml"
    path.write_text(text)
    with pytest.raises(DefinitionErrors) as caught:
        load_webhook(path, {"A": "x"})
    assert said in str(caught.value)
