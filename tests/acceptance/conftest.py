"""The live house: one local Stripe a session, emptied for each test."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from payments import gateway
from reyes_estancias.local_stripe.launcher import RunningSandbox, sandbox_running
from tests.acceptance.live_house import SECRET, LiveHouse, make_gateway
from tests.stripe_transport import TEST_KEY


@pytest.fixture(scope="session")
def _local_stripe(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningSandbox]:
    with sandbox_running(state=tmp_path_factory.mktemp("stripe") / "state.jsonl") as running:
        yield running


@pytest.fixture
def live_house(
    transactional_db: None,
    _local_stripe: RunningSandbox,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> LiveHouse:
    """A house whose workers, started by ``worker()``, charge through the local Stripe."""
    _local_stripe.control.clear_faults()
    _local_stripe.control.reset()
    monkeypatch.setenv(
        "EMAIL_URL", "dummymail://"
    )  # the worker's output is its log, which no address may enter
    monkeypatch.setenv("STRIPE_API_BASE", _local_stripe.base_url)
    monkeypatch.setenv("STRIPE_SECRET_KEY", TEST_KEY)
    monkeypatch.setenv("STRIPE_WEBHOOK_SECRETS", SECRET)
    client, ours = make_gateway(_local_stripe.base_url)
    monkeypatch.setattr(gateway, "_build_gateway", lambda path: ours)
    return LiveHouse(_local_stripe.control, client, ours, tmp_path / "worker.log")
