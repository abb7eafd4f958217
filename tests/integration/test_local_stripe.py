"""The local Stripe as a process: HTTP, latency, faults, restarts, webhooks, the hosted page."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlencode

import pytest
import stripe

from reyes_estancias.local_stripe.control import ControlRefused
from reyes_estancias.local_stripe.faults import Fault, FaultKind
from reyes_estancias.local_stripe.launcher import (
    PROJECT,
    RunningSandbox,
    SandboxDidNotStart,
    sandbox_running,
    start_sandbox,
)
from reyes_estancias.local_stripe.settings import Settings
from tests.stripe_transport import TEST_KEY

BALANCE = 700_000
SECRET = "whsec_prueba"


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningSandbox]:
    with sandbox_running(state=tmp_path_factory.mktemp("stripe") / "state.jsonl") as running:
        yield running


@pytest.fixture
def sandbox(shared: RunningSandbox) -> RunningSandbox:
    """The shared process, emptied and with its settings as new."""
    defaults = Settings()
    shared.control.change_settings(
        **{name: getattr(defaults, name) for name in Settings.__dataclass_fields__}
    )
    shared.control.reset()
    return shared


def connect(
    running: RunningSandbox, *, key: str = TEST_KEY, timeout: int = 20, retries: int = 0
) -> stripe.StripeClient:
    return stripe.StripeClient(
        key,
        base_addresses={"api": running.base_url},
        http_client=stripe.RequestsClient(timeout=timeout),
        max_network_retries=retries,
    )


def make_intent(running: RunningSandbox, client: stripe.StripeClient, *, card: str = "pm_card_visa") -> str:
    seeded = running.control.seed_customer(email="ana@example.com", card=card)
    return client.v1.payment_intents.create(
        {
            "amount": BALANCE,
            "currency": "mxn",
            "customer": seeded.customer,
            "payment_method": seeded.payment_method,
        }
    ).id


def make_session(client: stripe.StripeClient) -> stripe.checkout.Session:
    return client.v1.checkout.sessions.create(
        {
            "mode": "payment",
            "customer_creation": "always",
            "success_url": "http://127.0.0.1:1/listo",
            "line_items": [
                {
                    "price_data": {
                        "currency": "mxn",
                        "unit_amount": 300_000,
                        "product_data": {"name": "Anticipo"},
                    }
                }
            ],
            "payment_intent_data": {"setup_future_usage": "off_session"},
        }
    )


def is_replay(answer: stripe.StripeObject) -> bool:
    response = answer.last_response
    return response is not None and response.headers.get("Idempotent-Replayed") == "true"


def wait_until(condition: Callable[[], bool], *, seconds: float = 5.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.02)


class NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *args: object, **kwargs: object) -> None:
        return None


def submit(url: str, **fields: str) -> tuple[int, str]:
    """Post a form as a browser does; return the status, and the body or where it leads."""
    opener = urllib.request.build_opener(NoRedirect)
    try:
        with opener.open(url, data=urlencode(fields).encode(), timeout=5) as response:
            return response.status, response.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.headers["Location"] or error.read().decode()


# --- Requests ---------------------------------------------------------------------------------------------


def test_a_balance_is_charged_over_http(sandbox):
    client = connect(sandbox)
    intent = make_intent(sandbox, client)

    confirmed = client.v1.payment_intents.confirm(intent, {"off_session": True})

    assert confirmed.status == "succeeded"
    assert sandbox.control.totals() == {"mxn": BALANCE}
    [line] = sandbox.control.statement()
    assert (line.payment_intent, line.amount) == (intent, BALANCE)


def test_ten_confirms_at_once_take_the_time_of_one(sandbox):
    client = connect(sandbox)
    intents = [make_intent(sandbox, client) for _ in range(10)]
    sandbox.control.set_latency(milliseconds=300)

    started = time.monotonic()
    with ThreadPoolExecutor(10) as pool:
        statuses = list(
            pool.map(
                lambda each: client.v1.payment_intents.confirm(each, {"off_session": True}).status, intents
            )
        )
    took = time.monotonic() - started

    assert statuses == ["succeeded"] * 10
    assert 0.3 <= took < 3.0


def test_the_same_key_from_two_threads_at_once_is_one_charge_and_one_conflict(sandbox):
    client = connect(sandbox)
    intent = make_intent(sandbox, client)
    sandbox.control.set_latency(milliseconds=200)

    def confirm(_: int) -> object:
        try:
            return client.v1.payment_intents.confirm(intent, {}, {"idempotency_key": "K"}).status
        except stripe.APIError as error:
            return error.http_status

    with ThreadPoolExecutor(2) as pool:
        outcomes = set(pool.map(confirm, range(2)))

    assert outcomes == {"succeeded", 409}
    assert len(sandbox.control.statement()) == 1


@pytest.mark.parametrize(("kind", "taken"), [(FaultKind.RESET_BEFORE, 0), (FaultKind.RESET_AFTER, BALANCE)])
def test_a_reset_is_a_connection_error_and_money_moved_or_not(sandbox, kind, taken):
    client = connect(sandbox)
    intent = make_intent(sandbox, client)
    sandbox.control.arm_fault(Fault(kind, method="POST", path="*/confirm"))

    with pytest.raises(stripe.APIConnectionError):
        client.v1.payment_intents.confirm(intent, {"off_session": True})

    assert sandbox.control.totals().get("mxn", 0) == taken
    assert sandbox.control.requests()[-1].fault == kind


def test_a_read_timeout_after_the_money_moved_leaves_the_outcome_to_be_asked_for(sandbox):
    impatient, patient = connect(sandbox, timeout=1), connect(sandbox)
    intent = make_intent(sandbox, patient)
    sandbox.control.arm_fault(Fault(FaultKind.SLOW_AFTER, path="*/confirm", seconds=2))

    with pytest.raises(stripe.APIConnectionError):
        impatient.v1.payment_intents.confirm(intent, {"off_session": True}, {"idempotency_key": "K"})

    assert patient.v1.payment_intents.retrieve(intent).status == "succeeded"
    replay = patient.v1.payment_intents.confirm(intent, {"off_session": True}, {"idempotency_key": "K"})
    assert is_replay(replay)


def test_the_sdk_retries_through_a_short_outage(sandbox):
    client = connect(sandbox, retries=2)
    sandbox.control.arm_fault(Fault(FaultKind.UNAVAILABLE, path="/v1/customers"))

    client.v1.customers.create({})

    assert [logged.status for logged in sandbox.control.requests()] == [503, 200]
    assert len({logged.idempotency_key for logged in sandbox.control.requests()[1:]}) == 1


@pytest.mark.parametrize("key", ["sk_live_abcdefgh", "hola"])
def test_any_but_a_test_key_is_refused(sandbox, key):
    with pytest.raises(stripe.AuthenticationError):
        connect(sandbox, key=key).v1.customers.create({})


def test_the_clock_can_be_set_ahead(sandbox):
    client = connect(sandbox)
    session = make_session(client)

    sandbox.control.set_clock_offset(seconds=86_400)

    assert client.v1.checkout.sessions.retrieve(session.id).status == "expired"
    assert client.v1.customers.create({}).created >= int(time.time()) + 86_300


def test_garbage_is_answered_and_the_server_goes_on(sandbox):
    host, port = sandbox.base_url.removeprefix("http://").split(":")
    for garbage in (b"\x00\xff\r\n\r\n", b"POST /v1/customers HTTP/1.1\r\nContent-Length: x\r\n\r\n"):
        with socket.create_connection((host, int(port)), timeout=5) as connection:
            connection.sendall(garbage)
            assert b" 4" in connection.recv(200)

    assert sandbox.control.is_up()


# --- Control ----------------------------------------------------------------------------------------------


def test_a_session_can_be_paid_as_a_guest_would(sandbox):
    client = connect(sandbox)
    session = make_session(client)

    with pytest.raises(ControlRefused) as declined:
        sandbox.control.complete_session(session.id, card="pm_card_chargeDeclined")
    with pytest.raises(ControlRefused) as rejected:
        sandbox.control.complete_session(
            session.id, card="pm_card_authenticationRequired", is_authorized=False
        )
    paid = sandbox.control.complete_session(
        session.id, card="pm_card_authenticationRequired", email="ana@example.com"
    )

    assert (declined.value.status, rejected.value.status) == (402, 402)
    assert (paid["status"], paid["customer_details"]["email"]) == ("complete", "ana@example.com")
    assert sandbox.control.totals() == {"mxn": 300_000}


def test_a_saved_card_can_lose_and_regain_its_funds(sandbox):
    client = connect(sandbox)
    seeded = sandbox.control.seed_customer(
        email="ana@example.com", card="pm_card_chargeDeclinedInsufficientFunds"
    )
    intent = client.v1.payment_intents.create(
        {
            "amount": BALANCE,
            "currency": "mxn",
            "customer": seeded.customer,
            "payment_method": seeded.payment_method,
        }
    )
    with pytest.raises(stripe.CardError) as error:
        client.v1.payment_intents.confirm(intent.id, {"off_session": True})
    assert error.value.error is not None
    assert error.value.error.decline_code == "insufficient_funds"

    sandbox.control.change_card(seeded.payment_method, card="4242424242424242")
    again = client.v1.payment_intents.confirm(
        intent.id, {"off_session": True, "payment_method": seeded.payment_method}
    )

    assert again.status == "succeeded"


def test_a_refund_can_be_made_to_fail(sandbox):
    client = connect(sandbox)
    intent = make_intent(sandbox, client)
    client.v1.payment_intents.confirm(intent, {"off_session": True})
    refund = client.v1.refunds.create({"payment_intent": intent})

    sandbox.control.fail_refund(refund.id)

    assert client.v1.refunds.retrieve(refund.id).status == "failed"
    assert sandbox.control.totals() == {"mxn": BALANCE}
    with pytest.raises(ControlRefused, match="failed already"):
        sandbox.control.fail_refund(refund.id)


def test_slow_refunds_can_be_settled_at_once(sandbox):
    client = connect(sandbox)
    intent = make_intent(sandbox, client, card="pm_card_pendingRefund")
    client.v1.payment_intents.confirm(intent, {"off_session": True})
    refund = client.v1.refunds.create({"payment_intent": intent})

    sandbox.control.settle_refunds()

    assert client.v1.refunds.retrieve(refund.id).status == "succeeded"


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "faults", '{"kind": "earthquake"}'),
        ("POST", "settings", '{"latency": 1}'),
        ("POST", "customers", '{"card": "pm_card_nobody"}'),
        ("POST", "webhook", '{"url": "http://127.0.0.1:1/"}'),
        ("POST", "reset", "not json"),
        ("POST", "reset", "[]"),
        ("GET", "nothing", None),
    ],
)
def test_a_wrong_control_request_is_explained(sandbox, method, path, body):
    request = urllib.request.Request(  # noqa: S310 - our own server
        f"{sandbox.base_url}/_sandbox/{path}", method=method, data=body.encode() if body else None
    )

    with pytest.raises(urllib.error.HTTPError) as error:
        urllib.request.urlopen(request, timeout=5)  # noqa: S310 - our own server

    with error.value:
        assert error.value.code in (400, 404)
        assert len(json.loads(error.value.read())["error"]) > 10


def test_the_statement_is_a_page_too(sandbox):
    client = connect(sandbox)
    intent = make_intent(sandbox, client)
    client.v1.payment_intents.confirm(intent, {"off_session": True})
    client.v1.refunds.create({"payment_intent": intent, "amount": 100_050})

    with urllib.request.urlopen(f"{sandbox.base_url}/_sandbox/statement", timeout=5) as response:  # noqa: S310
        page = response.read().decode()

    for text in ("$7,000.00 MXN", "-$1,000.50 MXN", "$5,999.50 MXN", "Reembolso", intent):
        assert text in page


# --- The hosted page --------------------------------------------------------------------------------------


def test_a_guest_pays_with_plain_form_posts(sandbox):
    client = connect(sandbox)
    session = make_session(client)
    assert session.url is not None
    card = {"expiry": "12/40", "cvc": "123", "name": "Ana", "email": "ana@example.com"}

    declined = submit(session.url, number="4000 0000 0000 0002", **card)
    step = submit(session.url, number="4000 0025 0000 3155", **card)
    done = submit(sandbox.base_url + step[1], decision="authorize")

    assert declined[0] == 200
    assert "El banco rechazó la tarjeta" in declined[1]
    assert step == (303, f"/c/pay/{session.id}/authenticate")
    assert done == (303, "http://127.0.0.1:1/listo")
    assert client.v1.checkout.sessions.retrieve(session.id).payment_status == "paid"
    assert sandbox.control.totals() == {"mxn": 300_000}


def test_an_unknown_session_is_a_page_that_says_so(sandbox):
    status, page = submit(f"{sandbox.base_url}/c/pay/cs_test_nobody")

    assert status == 404
    assert "No se puede continuar" in page


# --- Restarts ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("ending", [RunningSandbox.stop, RunningSandbox.kill], ids=["SIGTERM", "kill -9"])
def test_a_restart_keeps_customers_intents_keys_and_money(
    tmp_path: Path, ending: Callable[[RunningSandbox], None]
):
    first = start_sandbox(state=tmp_path / "state")
    client = connect(first)
    intent = make_intent(first, client)
    other = make_intent(first, client)
    client.v1.payment_intents.confirm(intent, {"off_session": True}, {"idempotency_key": "K"})
    before = first.control.statement()
    ending(first)

    with sandbox_running(state=tmp_path / "state") as second:
        client = connect(second)
        replay = client.v1.payment_intents.confirm(intent, {"off_session": True}, {"idempotency_key": "K"})
        assert is_replay(replay)
        assert second.control.statement() == before
        assert client.v1.payment_intents.confirm(other, {"off_session": True}).status == "succeeded"
        assert len({line.payment_intent for line in second.control.statement()}) == 2


def test_sigterm_ends_it_cleanly(tmp_path):
    running = start_sandbox(state=tmp_path / "state")

    running.child.send_signal(signal.SIGTERM)

    running.child.communicate(timeout=30)
    assert (running.child.returncode, running.log.read_text()) == (0, "")


def test_it_ends_with_whoever_started_it(tmp_path):
    starter = (
        "import pathlib, sys, time\n"
        "from reyes_estancias.local_stripe.launcher import start_sandbox\n"
        "print(start_sandbox(state=pathlib.Path(sys.argv[1])).base_url, flush=True)\n"
        "time.sleep(60)\n"
    )
    command = [sys.executable, "-c", starter, str(tmp_path / "state")]
    with subprocess.Popen(command, cwd=PROJECT, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        host, port = parent.stdout.readline().strip().removeprefix("http://").split(":")
        parent.kill()

    def is_gone() -> bool:
        with socket.socket() as probe:
            return probe.connect_ex((host, int(port))) != 0

    wait_until(is_gone)


def test_a_busy_port_is_a_clear_sentence_and_exit_code_one(sandbox, tmp_path):
    port = sandbox.base_url.rsplit(":", 1)[1]
    command = [
        sys.executable,
        "-m",
        "reyes_estancias.local_stripe",
        "--port",
        port,
        "--state",
        str(tmp_path / "state"),
    ]

    ended = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, timeout=10, check=False)

    assert ended.returncode == 1
    assert ended.stderr == (
        f"local Stripe: port {port} on 127.0.0.1 is taken: "
        "stop what listens there, or give --port another number\n"
    )


def test_the_launcher_says_why_it_did_not_start(tmp_path):
    state = tmp_path / "state"
    state.write_text("something else\n")

    with pytest.raises(SandboxDidNotStart, match="is no state file of the local Stripe"):
        start_sandbox(state=state)


# --- Webhooks ---------------------------------------------------------------------------------------------


@dataclass(slots=True)
class Inbox:
    """A webhook endpoint that checks signatures and answers as it is told."""

    url: str
    answers: list[int] = field(default_factory=list)
    events: list[stripe.Event] = field(default_factory=list)

    def types(self) -> list[str]:
        return [event.type for event in self.events]


@pytest.fixture
def inbox() -> Iterator[Inbox]:
    class Endpoint(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            payload = self.rfile.read(int(self.headers["Content-Length"]))
            event = stripe.Webhook.construct_event(payload, self.headers["Stripe-Signature"], SECRET)
            status = box.answers.pop(0) if box.answers else 200
            if status == 200:
                box.events.append(event)
            self.send_response(status)
            self.send_header("Location", "/elsewhere")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Endpoint)
    box = Inbox(f"http://127.0.0.1:{server.server_port}/webhooks/stripe/")
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    yield box
    server.shutdown()
    thread.join()
    server.server_close()


def test_events_arrive_signed(sandbox, inbox):
    sandbox.control.set_webhook(url=inbox.url, secret=SECRET)
    client = connect(sandbox)

    client.v1.payment_intents.confirm(make_intent(sandbox, client), {"off_session": True})

    wait_until(lambda: "payment_intent.succeeded" in inbox.types())
    wait_until(lambda: {delivery.state for delivery in sandbox.control.deliveries()} == {"delivered"})


@pytest.mark.parametrize("status", [500, 404, 302])
def test_a_refused_event_is_sent_again(sandbox, inbox, status):
    sandbox.control.set_webhook(url=inbox.url, secret=SECRET)
    inbox.answers[:] = [status]

    connect(sandbox).v1.customers.create({})

    wait_until(lambda: inbox.types() == ["customer.created"])
    wait_until(lambda: sandbox.control.deliveries()[0].state == "delivered")
    assert sandbox.control.deliveries()[0].tries == 2


def test_duplicates_really_arrive(sandbox, inbox):
    sandbox.control.set_webhook(url=inbox.url, secret=SECRET)
    sandbox.control.change_settings(webhook_duplicates=2)

    connect(sandbox).v1.customers.create({})

    wait_until(lambda: len(inbox.events) == 3)
    assert len({event.id for event in inbox.events}) == 1


def test_the_secret_of_the_webhook_is_on_no_command_line(tmp_path, inbox):
    running = start_sandbox(state=tmp_path / "state", webhook_url=inbox.url, webhook_secret=SECRET)
    try:
        command_line = Path(f"/proc/{running.child.pid}/cmdline").read_text()
        connect(running).v1.customers.create({})

        assert inbox.url in command_line
        assert SECRET not in command_line
        wait_until(lambda: inbox.types() == ["customer.created"])
    finally:
        running.stop()


def test_events_not_yet_sent_are_sent_after_a_kill(tmp_path, inbox):
    first = start_sandbox(state=tmp_path / "state", webhook_url=inbox.url, webhook_secret=SECRET)
    first.control.change_settings(webhook_delay_seconds=1)
    connect(first).v1.customers.create({})
    first.kill()
    assert inbox.events == []

    with sandbox_running(state=tmp_path / "state"):
        wait_until(lambda: inbox.types() == ["customer.created"])
