from __future__ import annotations

from pathlib import Path

import pytest

from services.vendors.hubspot import HubSpot
from services.vendors.mailchimp import Mailchimp
from tests.activation.world import World


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    """An empty world with a Mailchimp and a HubSpot."""
    made = World(tmp_path, monkeypatch)
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
