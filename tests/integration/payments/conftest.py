"""Fixtures for the pages of a booking."""

from __future__ import annotations

import pytest

from payments.gateway import get_gateway
from tests.gateways import FakeGateway


@pytest.fixture
def gateway(settings) -> FakeGateway:
    """Return the provider that the pages use, empty."""
    settings.PAYMENTS_GATEWAY = "tests.gateways.FakeGateway"
    gateway = get_gateway()
    assert isinstance(gateway, FakeGateway)
    gateway.sessions.clear()
    gateway.requests.clear()
    gateway.fault = None
    return gateway
