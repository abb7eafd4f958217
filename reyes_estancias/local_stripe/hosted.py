"""The hosted pages: a guest pays a Checkout Session or answers 3-D Secure with plain forms."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime
from urllib.parse import parse_qsl

from reyes_estancias.local_stripe import checkout, payment_intents, payment_methods, setup_intents
from reyes_estancias.local_stripe.calls import Call
from reyes_estancias.local_stripe.core import Answer, Core, Request
from reyes_estancias.local_stripe.errors import ApiError, CardRefused, Document, UnexpectedState
from reyes_estancias.local_stripe.pages import (
    DECLINE_MESSAGES,
    PayForm,
    format_amount,
    render_authentication_page,
    render_closed_page,
    render_message_page,
    render_pay_page,
)

PAY = re.compile(r"/c/pay/(cs_test_[A-Za-z0-9]+)")
SESSION_AUTHENTICATION = re.compile(r"/c/pay/(cs_test_[A-Za-z0-9]+)/authenticate")
INTENT_AUTHENTICATION = re.compile(r"/authenticate/((?:pi|seti)_[A-Za-z0-9]+)")


def answer_page(core: Core, request: Request) -> Answer | None:
    """Answer a hosted page's request, or return None when the path is none of theirs."""
    path = request.path.partition("?")[0]
    for pattern, view in (
        (PAY, _pay),
        (SESSION_AUTHENTICATION, _authenticate),
        (INTENT_AUTHENTICATION, _answer_bank),
    ):
        if match := pattern.fullmatch(path):
            core.tick(now=request.now)
            return _guard(view, core, request, match[1])
    return None


def html_answer(body: str, *, status: int = 200) -> Answer:
    return Answer(status, {"Content-Type": "text/html; charset=utf-8", "Cache-Control": "no-store"}, body)


def _redirect(url: str) -> Answer:
    return Answer(303, {"Location": url}, "")


View = Callable[[Core, Request, str], Answer]


def _guard(view: View, core: Core, request: Request, id_: str) -> Answer:
    try:
        return view(core, request, id_)
    except ApiError as error:
        status = error.status if error.status == 404 else 409
        return html_answer(render_message_page("No se puede continuar", str(error)), status=status)


def _find_session(core: Core, request: Request, session_id: str) -> Document:
    return core.make_call(now=request.now, ids=(session_id,)).find("checkout.session", session_id)


def _pay(core: Core, request: Request, session_id: str) -> Answer:
    session = _find_session(core, request, session_id)
    if session["status"] != "open":
        return html_answer(render_closed_page(session, checkout.success_url(session)))
    if request.method != "POST":
        return _show_form(core, session, PayForm())
    form = _read_form(request.body)
    try:
        return _try_to_pay(core, request, session, form)
    except CardRefused as error:
        return _show_form(core, session, _with_error(form, error))


def _try_to_pay(core: Core, request: Request, session: Document, form: PayForm) -> Answer:
    card = payment_methods.card_by_number(form.number, param="number")
    payment_methods.check_cvc(form.cvc)
    _check_expiry(form.expiry, now=core.make_call(now=request.now).now)
    _check_email(session, form.email)

    def pay(call: Call) -> Document:
        return checkout.pay(call, session, card, email=form.email or None, name=form.name or None)

    intent = core.run(pay, now=request.now)
    if intent["status"] == "requires_action":
        return _redirect(f"/c/pay/{session['id']}/authenticate")
    return _redirect(checkout.success_url(session))


def _authenticate(core: Core, request: Request, session_id: str) -> Answer:
    session = _find_session(core, request, session_id)
    if session["status"] != "open":
        return html_answer(render_closed_page(session, checkout.success_url(session)))
    if request.method != "POST":
        amount = format_amount(session["amount_total"], session["currency"])
        return html_answer(render_authentication_page(action=request.path, amount=amount))
    is_authorized = _is_authorized(request.body)
    try:
        core.run(
            lambda call: checkout.authenticate(call, session, is_authorized=is_authorized), now=request.now
        )
    except CardRefused as error:
        return _show_form(core, session, _with_error(PayForm(), error))
    return _redirect(checkout.success_url(session))


def _answer_bank(core: Core, request: Request, intent_id: str) -> Answer:
    kind = payment_intents if intent_id.startswith("pi_") else setup_intents
    table = "payment_intent" if intent_id.startswith("pi_") else "setup_intent"
    intent = core.make_call(now=request.now, ids=(intent_id,)).find(table, intent_id)
    if intent["status"] != "requires_action" or intent["next_action"]["type"] != "redirect_to_url":
        raise UnexpectedState(f"{intent_id} awaits no 3-D Secure.")
    return_url = intent["next_action"]["redirect_to_url"]["return_url"]
    if request.method != "POST":
        amount = format_amount(intent["amount"], intent["currency"]) if table == "payment_intent" else None
        return html_answer(render_authentication_page(action=request.path, amount=amount))
    is_authorized = _is_authorized(request.body)
    try:
        core.run(
            lambda call: kind.authenticate(call, intent_id, is_authorized=is_authorized), now=request.now
        )
    except CardRefused as error:
        message = _explain(error)
        return html_answer(render_message_page("El banco no lo autorizó", message))
    return _redirect(return_url)


def _is_authorized(body: str) -> bool:
    return dict(parse_qsl(body)).get("decision") == "authorize"


def _read_form(body: str) -> PayForm:
    values = {name: value.strip() for name, value in parse_qsl(body)}
    return PayForm(
        number=values.get("number", ""),
        expiry=values.get("expiry", ""),
        cvc=values.get("cvc", ""),
        name=values.get("name", ""),
        email=values.get("email", ""),
    )


def _check_expiry(text: str, *, now: int) -> None:
    match = re.fullmatch(r"(0[1-9]|1[0-2])\s*/\s*(\d{2})", text)
    today = datetime.fromtimestamp(now, tz=UTC)
    if match is None or (2000 + int(match[2]), int(match[1])) < (today.year, today.month):
        raise CardRefused("Your card's expiration date is invalid.", code="invalid_expiry")


def _check_email(session: Document, email: str) -> None:
    is_known = session["customer"] is not None or session["customer_email"] is not None
    if not is_known and "@" not in email:
        raise CardRefused("An e-mail address is required.", code="email_required")


def _with_error(form: PayForm, error: CardRefused) -> PayForm:
    return PayForm(form.number, form.expiry, form.cvc, form.name, form.email, error=_explain(error))


def _explain(error: CardRefused) -> str:
    decline_code = str(error.details.get("decline_code", ""))
    return DECLINE_MESSAGES.get(decline_code) or DECLINE_MESSAGES.get(error.code or "", str(error))


def _show_form(core: Core, session: Document, form: PayForm) -> Answer:
    items = core.store.get("line_items", session["id"])
    return html_answer(render_pay_page(session, items["data"] if items else [], form))
