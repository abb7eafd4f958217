"""The local Stripe inside the test's own process: Stripe's SDK talks to the core without a socket."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import stripe

from reyes_estancias.local_stripe.calls import Call
from reyes_estancias.local_stripe.core import Answer, Core, Request
from reyes_estancias.local_stripe.errors import Document
from reyes_estancias.local_stripe.faults import Fault
from reyes_estancias.local_stripe.hosted import answer_page
from reyes_estancias.local_stripe.statement import StatementLine, read_lines
from reyes_estancias.local_stripe.store import Store

BASE_URL = "http://stripe.test"
TEST_KEY = "sk_test_local0001"


class CoreTransport(stripe.HTTPClient):
    """Feeds the SDK's requests to a core; a reset becomes the error a broken connection gives."""

    name = "core"

    def __init__(self, core: Core, clock: Clock) -> None:
        super().__init__()
        self.core = core
        self.clock = clock
        self.answers: list[Answer] = []

    def request(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str] | None,
        post_data: Any = None,
        *,
        _usage: list[str] | None = None,
    ) -> tuple[str, int, Mapping[str, str]]:
        lowered = {name.lower(): value for name, value in (headers or {}).items()}
        path = url.removeprefix(BASE_URL)
        body = post_data or ""
        answer = self.core.answer(Request(method.upper(), path, lowered, body, self.clock.now))
        self.answers.append(answer)
        if answer.is_reset:
            raise stripe.APIConnectionError("Connection reset by peer", should_retry=True)
        return answer.body, answer.status, {name.lower(): value for name, value in answer.headers.items()}

    def close(self) -> None:
        """Nothing is open."""


@dataclass(slots=True)
class Clock:
    """The time the local Stripe is told, in real epoch seconds."""

    now: float = field(default_factory=time.time)

    def advance(self, *, seconds: float) -> None:
        self.now += seconds


@dataclass(slots=True)
class LocalStripe:
    """A core, a client of Stripe's SDK that talks to it, and the clock both live by."""

    core: Core
    client: stripe.StripeClient
    clock: Clock
    transport: CoreTransport

    def statement(self) -> list[StatementLine]:
        return read_lines(self.core.store)

    def taken(self) -> int:
        """What the merchant holds, in centavos."""
        return sum(line.taken for line in self.statement())

    def event_types(self) -> list[str]:
        return [event["type"] for event in self.core.store.rows("event")]

    def arm(self, fault: Fault) -> None:
        self.core.faults.append(fault)

    def browse(self, method: str, url: str, body: str = "") -> Answer:
        """Do what a browser does on a hosted page."""
        path = url.removeprefix(BASE_URL)
        answer = answer_page(self.core, Request(method, path, {}, body, self.clock.now))
        assert answer is not None, f"{path} is no hosted page"
        return answer

    def make_call(self) -> Call:
        return self.core.make_call(now=self.clock.now)

    def find(self, kind: str, id_: str) -> Document:
        row = self.core.store.get(kind, id_)
        assert row is not None
        return row


def make_local_stripe(*, api_key: str = TEST_KEY, max_network_retries: int = 0) -> LocalStripe:
    clock = Clock()
    core = Core(Store(seed="tests"), BASE_URL)
    transport = CoreTransport(core, clock)
    client = stripe.StripeClient(
        api_key,
        base_addresses={"api": BASE_URL},
        http_client=transport,
        max_network_retries=max_network_retries,
    )
    return LocalStripe(core, client, clock, transport)
