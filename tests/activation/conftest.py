from __future__ import annotations

import pytest

from services.vendors.hubspot import HubSpot
from services.vendors.mailchimp import Mailchimp
from tests.activation.world import World


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    """An empty world with a Mailchimp and a HubSpot."""
    made = World(monkeypatch)
    made.vendors = {"mailchimp": Mailchimp(), "hubspot": HubSpot()}
    return made


@pytest.fixture
def letters(world: World) -> Mailchimp:
    vendor = world.vendors["mailchimp"]
    assert isinstance(vendor, Mailchimp)
    return vendor


@pytest.fixture
def crm(world: World) -> HubSpot:
    vendor = world.vendors["hubspot"]
    assert isinstance(vendor, HubSpot)
    return vendor
