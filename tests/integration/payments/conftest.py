"""A house for each test: its site, queue and local Stripe, at noon in Mexico City. Pages need less."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from freezegun import freeze_time

from payments import gateway
from tests.gateways import FakeGateway
from tests.house import FrozenClock, House, open_house

NOW = datetime(2026, 11, 2, 18, tzinfo=UTC)


@pytest.fixture(scope="module")
def _frozen_module() -> Iterator[FrozenClock]:
    """Freeze once a module: replacing the clock everywhere takes longer than most tests."""
    with freeze_time(NOW, ignore=["_pytest"]) as clock:
        yield clock


@pytest.fixture
def house(db: None, _frozen_module: FrozenClock, monkeypatch: pytest.MonkeyPatch) -> Iterator[House]:
    _frozen_module.move_to(NOW)
    with open_house(_frozen_module) as opened:
        monkeypatch.setattr(gateway, "_build_gateway", lambda path: opened.gateway)
        yield opened


@pytest.fixture(name="gateway")
def _gateway_of_pages(settings) -> FakeGateway:
    """Return the provider that the pages use, empty."""
    settings.PAYMENTS_GATEWAY = "tests.gateways.FakeGateway"
    provider = gateway.get_gateway()
    assert isinstance(provider, FakeGateway)
    provider.sessions.clear()
    provider.requests.clear()
    provider.fault = None
    return provider
