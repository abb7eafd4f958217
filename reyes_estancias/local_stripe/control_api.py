"""What Stripe does not have: the paths under ``/_sandbox`` with which tests and the demo steer."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import asdict

from reyes_estancias.local_stripe import (
    checkout,
    customers,
    disputes,
    payment_methods,
    refunds,
    webhook_endpoints,
)
from reyes_estancias.local_stripe.calls import Call
from reyes_estancias.local_stripe.cards import UnknownCard, find_card
from reyes_estancias.local_stripe.core import Answer, Core, Request
from reyes_estancias.local_stripe.errors import ApiError, Document
from reyes_estancias.local_stripe.faults import InvalidFault, parse_fault
from reyes_estancias.local_stripe.hosted import html_answer
from reyes_estancias.local_stripe.pages import render_statement_page
from reyes_estancias.local_stripe.settings import InvalidSetting, change_settings, read_settings
from reyes_estancias.local_stripe.statement import read_lines, total_by_currency
from reyes_estancias.local_stripe.webhooks import list_deliveries

PREFIX = "/_sandbox/"
View = Callable[[Core, Request, str, Document], object]


class BadControlRequest(Exception):
    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(f"the control request does not fit: {reason}")


def answer_control(core: Core, request: Request) -> Answer | None:
    """Answer a request under ``/_sandbox/``, or return None when the path is not there."""
    path = request.path.partition("?")[0]
    if not path.startswith(PREFIX):
        return None
    if request.method == "GET" and path == f"{PREFIX}statement":
        return html_answer(render_statement_page(read_lines(core.store)))
    for method, pattern, view in VIEWS:
        match = re.fullmatch(PREFIX + pattern, path)
        if match and method == request.method:
            return _run(view, core, request, match[1] if match.groups() else "")
    return _json({"error": f"no control path {request.method} {path}"}, status=404)


def _run(view: View, core: Core, request: Request, id_: str) -> Answer:
    core.tick(now=request.now)
    try:
        return _json(view(core, request, id_, _read_body(request.body)))
    except ApiError as error:
        return _json(error.to_document(), status=error.status)
    except (InvalidFault, InvalidSetting, UnknownCard, BadControlRequest) as error:
        return _json({"error": str(error)}, status=400)


def _read_body(body: str) -> Document:
    try:
        values = json.loads(body or "{}")
    except ValueError as error:
        raise BadControlRequest(str(error)) from None
    if not isinstance(values, dict):
        raise BadControlRequest("the body is no JSON object")
    return values


def _json(value: object, *, status: int = 200) -> Answer:
    return Answer(status, {"Content-Type": "application/json"}, json.dumps(value, indent=2))


def _take(body: Document, name: str) -> str:
    value = body.get(name)
    if not isinstance(value, str) or not value:
        raise BadControlRequest(f"{name} is missing")
    return value


def _health(core: Core, request: Request, id_: str, body: Document) -> object:
    return {"status": "ok", "base_url": core.base_url}


def _show_settings(core: Core, request: Request, id_: str, body: Document) -> object:
    return asdict(read_settings(core.store))


def _change_settings(core: Core, request: Request, id_: str, body: Document) -> object:
    return asdict(change_settings(core.store, body))


def _list_faults(core: Core, request: Request, id_: str, body: Document) -> object:
    return [asdict(fault) for fault in core.faults]


def _arm_fault(core: Core, request: Request, id_: str, body: Document) -> object:
    fault = parse_fault(body)
    core.faults.append(fault)
    return asdict(fault)


def _clear_faults(core: Core, request: Request, id_: str, body: Document) -> object:
    core.faults.clear()
    return []


def _statement(core: Core, request: Request, id_: str, body: Document) -> object:
    lines = read_lines(core.store)
    return {"lines": [asdict(line) for line in lines], "totals": total_by_currency(lines)}


def _list_requests(core: Core, request: Request, id_: str, body: Document) -> object:
    return [asdict(logged) for logged in core.requests]


def _list_deliveries(core: Core, request: Request, id_: str, body: Document) -> object:
    return [asdict(delivery) for delivery in list_deliveries(core.store)]


def _set_webhook(core: Core, request: Request, id_: str, body: Document) -> object:
    url, secret = _take(body, "url"), _take(body, "secret")
    return core.run(lambda call: webhook_endpoints.set_own(call, url=url, secret=secret), now=request.now)


def _complete_session(core: Core, request: Request, id_: str, body: Document) -> object:
    card = find_card(body.get("card", "pm_card_visa"))
    is_authorized = bool(body.get("is_authorized", True))

    def complete(call: Call) -> Document:
        session = call.find("checkout.session", id_)
        intent = checkout.pay(call, session, card, email=body.get("email"), name=body.get("name"))
        if intent["status"] == "requires_action":
            checkout.authenticate(call, session, is_authorized=is_authorized)
        return session

    return core.run(complete, now=request.now)


def _seed_customer(core: Core, request: Request, id_: str, body: Document) -> object:
    card = find_card(body.get("card", "pm_card_visa"))

    def seed(call: Call) -> Document:
        customer = customers.create_from_checkout(call, email=body.get("email"), name=body.get("name"))
        method = payment_methods.claim(call, payment_methods.make(call, card), customer["id"])
        if body.get("is_set_up", True):
            payment_methods.mark_set_up(call, method)
        return {"customer": customer["id"], "payment_method": method["id"]}

    return core.run(seed, now=request.now)


def _change_card(core: Core, request: Request, id_: str, body: Document) -> object:
    card = find_card(_take(body, "card"))

    def change(call: Call) -> Document:
        method = payment_methods.find(call, id_)
        payment_methods.change_card(call, method, card)
        return method

    return core.run(change, now=request.now)


def _fail_refund(core: Core, request: Request, id_: str, body: Document) -> object:
    def fail(call: Call) -> Document:
        refund = call.find("refund", id_)
        if refund["status"] == "failed":
            raise BadControlRequest(f"refund {id_} has failed already")
        call.store.remove("waiting_refunds", id_)
        refunds.fail(call, refund)
        return refund

    return core.run(fail, now=request.now)


def _refund_by_hand(core: Core, request: Request, id_: str, body: Document) -> object:
    """Refund as somebody does in the dashboard: without a key and without metadata."""
    params = {"payment_intent": _take(body, "payment_intent")}
    params |= {"amount": body["amount"]} if body.get("amount") else {}

    def refund(call: Call) -> Document:
        call.params = params
        return refunds.create(call)

    return core.run(refund, now=request.now)


def _open_dispute(core: Core, request: Request, id_: str, body: Document) -> object:
    intent_id = _take(body, "payment_intent")

    def dispute(call: Call) -> Document:
        intent = call.find("payment_intent", intent_id)
        charge = call.find("charge", intent["latest_charge"] or "")
        return disputes.open_dispute(
            call, charge, amount=body.get("amount"), is_inquiry=bool(body.get("is_inquiry"))
        )

    return core.run(dispute, now=request.now)


def _move_dispute(step: Callable[[Call, Document, Document], Document]) -> View:
    def move(core: Core, request: Request, id_: str, body: Document) -> object:
        return core.run(lambda call: step(call, call.find("dispute", id_), body), now=request.now)

    return move


def _settle_refunds(core: Core, request: Request, id_: str, body: Document) -> object:
    core.run(lambda call: refunds.settle_due(call, is_forced=True), now=request.now)
    return {}


def _reset(core: Core, request: Request, id_: str, body: Document) -> object:
    core.store.clear()
    core.faults.clear()
    core.requests.clear()
    return {}


VIEWS: tuple[tuple[str, str, View], ...] = (
    ("GET", "health", _health),
    ("GET", "settings", _show_settings),
    ("POST", "settings", _change_settings),
    ("GET", "faults", _list_faults),
    ("POST", "faults", _arm_fault),
    ("DELETE", "faults", _clear_faults),
    ("GET", r"statement\.json", _statement),
    ("GET", "requests", _list_requests),
    ("GET", "deliveries", _list_deliveries),
    ("POST", "webhook", _set_webhook),
    ("POST", r"sessions/(\w+)/complete", _complete_session),
    ("POST", "customers", _seed_customer),
    ("POST", r"payment_methods/(\w+)/card", _change_card),
    ("POST", r"refunds/(\w+)/fail", _fail_refund),
    ("POST", "refunds/settle", _settle_refunds),
    ("POST", "refunds", _refund_by_hand),
    ("POST", "disputes", _open_dispute),
    ("POST", r"disputes/(\w+)/escalate", _move_dispute(lambda call, row, _: disputes.escalate(call, row))),
    (
        "POST",
        r"disputes/(\w+)/evidence",
        _move_dispute(lambda call, row, _: disputes.submit_evidence(call, row)),
    ),
    (
        "POST",
        r"disputes/(\w+)/close",
        _move_dispute(lambda call, row, body: disputes.close(call, row, status=_take(body, "status"))),
    ),
    ("POST", "reset", _reset),
)
