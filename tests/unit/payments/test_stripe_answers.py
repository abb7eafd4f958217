"""Answers of Stripe's that are none, and errors that are not the guest's, over a real connection."""

from __future__ import annotations

import gzip
import json
import logging
import sys
import threading
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
import stripe

from payments.exceptions import (
    CardDeclined,
    ChargeDisputed,
    GatewayBusy,
    GatewayRefused,
    KeyReused,
    ObjectMissing,
    OutcomeUnknown,
    PayerEmailRefused,
    RequestRejected,
    StateConflict,
)
from payments.policies import IntentStatus
from payments.stripe_gateway import StripeGateway, make_http_client
from procrastinate_tasks.monitoring.logging import JsonFormatter, LogfmtFormatter

INTENT = {
    "id": "pi_1",
    "object": "payment_intent",
    "status": "canceled",
    "amount": 1_000,
    "amount_received": 0,
    "currency": "mxn",
    "customer": "cus_1",
    "payment_method": "pm_1",
    "latest_charge": None,
    "last_payment_error": None,
    "metadata": {},
}

Answer = Callable[[BaseHTTPRequestHandler], None]


class Handler(BaseHTTPRequestHandler):
    """Answers whatever the test says; the paths that were asked for are on the server."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        server = self.server
        assert isinstance(server, Server)
        server.asked.append(self.path)
        server.answer(self)

    def log_message(self, *args: object) -> None:
        """Says nothing."""


class Server(ThreadingHTTPServer):
    daemon_threads = True
    answer: Answer
    asked: list[str]


@pytest.fixture
def server() -> Iterator[Server]:
    with Server(("127.0.0.1", 0), Handler) as server:
        server.asked = []
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def gateway_to(server: Server, *, within: timedelta = timedelta(seconds=5)) -> StripeGateway:
    client = stripe.StripeClient(
        "sk_test_answers",
        base_addresses={"api": f"http://127.0.0.1:{server.server_port}"},
        max_network_retries=0,
        http_client=make_http_client(within=within, most_bytes=100_000),
    )
    return StripeGateway(client=client, webhook_secrets=[])


def send(
    handler: BaseHTTPRequestHandler, *, status: int, body: bytes, encoding: str = "", location: str = ""
) -> None:
    handler.send_response(status)
    for name, value in {"Content-Encoding": encoding, "Location": location}.items():
        if value:
            handler.send_header(name, value)
    handler.send_header("Content-Length", str(len(body)))
    handler.end_headers()
    handler.wfile.write(body)


def test_an_answer_of_usual_size_is_read_also_compressed_and_on_the_same_connection(server: Server):
    gateway, body = gateway_to(server), json.dumps(INTENT).encode()

    for answer in (body, gzip.compress(body)):
        encoding = "" if answer is body else "gzip"
        server.answer = partial(send, status=200, body=answer, encoding=encoding)
        assert gateway.retrieve_intent("pi_1").status == IntentStatus.CANCELED


def drip(handler: BaseHTTPRequestHandler) -> None:
    """Send a byte now and then, each in time, until nobody listens any more."""
    handler.send_response(200)
    handler.send_header("Content-Length", "1000000")
    handler.end_headers()
    try:
        while True:
            handler.wfile.write(b" ")
            time.sleep(0.05)
    except OSError:
        handler.close_connection = True


def test_an_answer_that_drips_in_is_given_up_in_time(server: Server):
    server.answer = drip
    began = time.monotonic()

    with pytest.raises(OutcomeUnknown):
        gateway_to(server, within=timedelta(seconds=0.5)).retrieve_intent("pi_1")

    assert time.monotonic() - began < 10


def send_while_heard(handler: BaseHTTPRequestHandler, *, status: int, body: bytes, encoding: str) -> None:
    try:
        send(handler, status=status, body=body, encoding=encoding)
    except OSError:
        handler.close_connection = True


@pytest.mark.parametrize("is_packed", [True, False])
def test_an_answer_of_any_size_is_not_read_to_its_end(server: Server, is_packed: bool):
    vast = json.dumps({**INTENT, "description": "x" * 5_000_000}).encode()
    body = gzip.compress(vast) if is_packed else vast
    encoding = "gzip" if is_packed else ""
    server.answer = partial(send_while_heard, status=200, body=body, encoding=encoding)

    with pytest.raises(OutcomeUnknown, match="APIConnectionError"):
        gateway_to(server).retrieve_intent("pi_1")


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_no_redirect_is_followed(server: Server, status: int):
    server.answer = partial(send, status=status, body=b"<html>moved</html>", location="/elsewhere")

    with pytest.raises(OutcomeUnknown):
        gateway_to(server).retrieve_intent("pi_1")

    assert server.asked == ["/v1/payment_intents/pi_1"]


INVALID = "invalid_request_error"
ERRORS = [
    (402, {"type": "card_error", "code": "card_declined"}, CardDeclined),
    (404, {"type": INVALID, "code": "resource_missing"}, ObjectMissing),
    (400, {"type": INVALID, "param": "payment_method"}, ObjectMissing),
    (400, {"type": INVALID, "param": "customer"}, ObjectMissing),
    (400, {"type": INVALID, "code": "charge_disputed"}, ChargeDisputed),
    (400, {"type": INVALID, "code": "refund_disputed_payment"}, ChargeDisputed),
    (400, {"type": INVALID, "code": "payment_intent_unexpected_state"}, StateConflict),
    (400, {"type": INVALID, "code": "charge_already_refunded"}, StateConflict),
    (401, {"type": INVALID}, GatewayRefused),
    (403, {"type": INVALID}, GatewayRefused),
    (400, {"type": INVALID, "code": "testmode_charges_only"}, GatewayRefused),
    (400, {"type": INVALID, "code": "livemode_mismatch"}, GatewayRefused),
    (400, {"type": INVALID, "code": "account_invalid"}, GatewayRefused),
    (400, {"type": "idempotency_error"}, KeyReused),
    (400, {"type": INVALID, "param": "customer_email"}, PayerEmailRefused),
    (400, {"type": INVALID, "code": "amount_too_large"}, RequestRejected),
    (429, {"type": INVALID, "code": "rate_limit"}, GatewayBusy),
    (429, {"type": INVALID, "code": "lock_timeout"}, GatewayBusy),
    (409, {"type": INVALID, "code": "idempotency_key_in_use"}, GatewayBusy),
    (500, {"type": "api_error"}, OutcomeUnknown),
    (503, {"type": "api_error"}, OutcomeUnknown),
]


def test_each_error_is_who_it_belongs_to(server: Server):
    gateway = gateway_to(server)
    for status, error, ours in ERRORS:
        body = json.dumps({"error": {"message": "no", **error}}).encode()
        server.answer = partial(send, status=status, body=body)

        with pytest.raises(ours) as raised:
            gateway.retrieve_intent("pi_1")

        assert type(raised.value) is ours, error


def test_no_address_of_a_guest_reaches_the_log_inside_an_exception():
    formatter = LogfmtFormatter()
    try:
        try:
            raise ValueError("Invalid email address: lucia@correo.example")
        except ValueError as error:
            raise RequestRejected(operation="create_session", detail="email_invalid") from error
    except RequestRejected:
        record = logging.LogRecord("payments.views", logging.ERROR, "", 0, "no", (), sys.exc_info())

    for line in (formatter.format(record), JsonFormatter().format(record)):
        assert "RequestRejected" in line
        assert "lucia@" not in line
