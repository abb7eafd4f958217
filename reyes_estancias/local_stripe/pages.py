"""The pages a person sees, in Spanish and without scripts: pay, 3-D Secure, closed, bank statement."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from html import escape
from pathlib import Path

from reyes_estancias.local_stripe.cards import CARDS
from reyes_estancias.local_stripe.errors import Document
from reyes_estancias.local_stripe.statement import Movement, StatementLine, total_by_currency

STYLE = Path(__file__).with_name("pages.css").read_text(encoding="utf-8")

DECLINE_MESSAGES = {
    "generic_decline": "El banco rechazó la tarjeta. Prueba con otra.",
    "insufficient_funds": "La tarjeta no tiene fondos suficientes. Prueba con otra.",
    "lost_card": "El banco rechazó la tarjeta. Prueba con otra.",
    "stolen_card": "El banco rechazó la tarjeta. Prueba con otra.",
    "card_velocity_exceeded": "La tarjeta superó su número de cargos permitidos. Prueba con otra.",
    "expired_card": "La tarjeta está vencida. Prueba con otra.",
    "incorrect_cvc": "El código de seguridad no es correcto.",
    "invalid_cvc": "Escribe los 3 o 4 dígitos del código de seguridad.",
    "invalid_expiry": "Escribe el vencimiento como MM/AA, con una fecha futura.",
    "incorrect_number": "Ese número no es de una tarjeta de prueba. Usa uno de la lista.",
    "processing_error": "El banco tuvo un problema. Inténtalo de nuevo en un momento.",
    "payment_intent_authentication_failure": "No se autorizó el pago. Prueba de nuevo o usa otra tarjeta.",
    "email_required": "Escribe tu correo.",
}


@dataclass(frozen=True, slots=True)
class PayForm:
    """What the guest had written, shown again beside the reason it did not pass."""

    number: str = ""
    expiry: str = "12/40"
    cvc: str = "123"
    name: str = ""
    email: str = ""
    error: str | None = None


def format_amount(amount_minor: int, currency: str) -> str:
    """Write centavos as people do: ``$1,234.50 MXN``."""
    sign = "-" if amount_minor < 0 else ""
    return f"{sign}${abs(amount_minor) / 100:,.2f} {currency.upper()}"


def render_pay_page(session: Document, items: Iterable[Document], form: PayForm) -> str:
    """Return the page on which an open Checkout Session is paid."""
    total = format_amount(session["amount_total"], session["currency"])
    rows = "".join(
        f"<tr><td>{escape(item['description'])}{_quantity(item)}</td>"
        f'<td class="number">{format_amount(item["amount_total"], item["currency"])}</td></tr>'
        for item in items
    )
    cancel = session["cancel_url"]
    back = f'<p><a href="{escape(cancel)}">← Volver sin pagar</a></p>' if cancel else ""
    return _page(
        f"Pagar {total}",
        f"""<div class="columns"><section aria-labelledby="what">
<h1 id="what">Tu pago</h1><p class="total">{total}</p><table>{rows}</table>{back}</section>
<section class="side" aria-label="Tarjeta">{_pay_form(session, form, total)}</section>
<section aria-labelledby="cards-title">{_card_table()}</section></div>""",
    )


def _pay_form(session: Document, form: PayForm, total: str) -> str:
    error = f'<p class="error" role="alert">{escape(form.error)}</p>' if form.error else ""
    return f"""<form class="card" method="post" action="/c/pay/{escape(session["id"])}">{error}
{_email_field(session, form)}
<label>Número de tarjeta <input name="number" value="{escape(form.number)}" inputmode="numeric"
  autocomplete="off" list="cards" placeholder="4242 4242 4242 4242" required></label>
<datalist id="cards">{_card_options()}</datalist>
<div class="pair"><label>Vencimiento <input name="expiry" value="{escape(form.expiry)}" placeholder="MM/AA"
  autocomplete="off" required></label>
<label>CVC <input name="cvc" value="{escape(form.cvc)}" inputmode="numeric"
  autocomplete="off" required></label></div>
<label>Nombre en la tarjeta <input name="name" value="{escape(form.name)}" autocomplete="off"></label>
<button class="wide">Pagar {total}</button>{_saved_note(session)}</form>"""


def _card_options() -> str:
    return "".join(f'<option value="{_spaced(card.number)}">{card.note}</option>' for card in CARDS)


def _email_field(session: Document, form: PayForm) -> str:
    known = (
        (session["customer_details"] or {}).get("email") if session["customer"] else session["customer_email"]
    )
    if known:
        return f"<p>Correo: <strong>{escape(known)}</strong></p>"
    return (
        f'<label>Correo <input name="email" type="email" value="{escape(form.email)}"'
        ' autocomplete="off" required></label>'
    )


def _saved_note(session: Document) -> str:
    if session["customer"] is None and session["customer_creation"] != "always":
        return ""
    return '<p class="note">La tarjeta puede quedar guardada para los cargos que autorizaste.</p>'


def _quantity(item: Document) -> str:
    return f" &times; {item['quantity']}" if item["quantity"] > 1 else ""


def _spaced(number: str) -> str:
    return " ".join(number[at : at + 4] for at in range(0, len(number), 4))


def _card_table() -> str:
    rows = "".join(
        f'<tr><td class="code">{_spaced(card.number)}</td><td>{card.note}</td></tr>' for card in CARDS
    )
    return f"""<h2 id="cards-title">Tarjetas de prueba</h2><div class="scroll"><table><thead><tr>
<th scope="col">Número</th><th scope="col">Qué pasa</th></tr></thead><tbody>{rows}</tbody></table></div>"""


def render_authentication_page(*, action: str, amount: str | None) -> str:
    """Return the bank's page that asks the cardholder to authorize."""
    what = f"un pago de <strong>{amount}</strong>" if amount else "guardar tu tarjeta"
    return _page(
        "3-D Secure",
        f"""<form class="card" method="post" action="{escape(action)}"><h1>Tu banco pide confirmación</h1>
<p>Reyes Estancias solicita {what}. ¿Lo autorizas?</p>
<button name="decision" value="authorize">Autorizar</button>
<button class="plain" name="decision" value="reject">Rechazar</button></form>""",
    )


def render_closed_page(session: Document, success_url: str) -> str:
    """Return what a guest sees who opens a session that is paid or expired."""
    if session["status"] == "complete":
        title, text, url, link = (
            "Este pago ya está hecho",
            "No hace falta pagar otra vez.",
            success_url,
            "Continuar",
        )
    else:
        title, text = "Este enlace ya venció", "No se hizo ningún cargo. Pide un enlace nuevo."
        url, link = session["cancel_url"], "Volver"
    button = f'<p><a class="button" href="{escape(url)}">{link}</a></p>' if url else ""
    return _page(title, f'<div class="panel"><h1>{title}</h1><p>{text}</p>{button}</div>')


def render_message_page(title: str, text: str) -> str:
    return _page(title, f'<div class="panel"><h1>{escape(title)}</h1><p>{escape(text)}</p></div>')


KIND_LABELS = {
    Movement.CHARGE: "Cargo",
    Movement.REFUND: "Reembolso",
    Movement.REFUND_FAILED: "Reembolso devuelto",
    Movement.DISPUTE: "Contracargo",
    Movement.DISPUTE_REVERSED: "Contracargo ganado",
}


def render_statement_page(lines: list[StatementLine]) -> str:
    """Return the bank statement: each movement, and what is left in all."""
    rows = "".join(_statement_row(line) for line in reversed(lines))
    totals = " · ".join(
        format_amount(amount, currency) for currency, amount in total_by_currency(lines).items()
    )
    return _page(
        "Estado de cuenta",
        f"""<h1>Estado de cuenta</h1><p class="total">{totals or "$0.00"}</p>
<p class="note">Cada peso que se cobró o se devolvió, anotado en el momento en que se movió:
{len(lines)} movimientos.</p>
<div class="scroll panel"><table><thead><tr><th scope="col">Fecha (UTC)</th><th scope="col">Movimiento</th>
<th scope="col" class="number">Monto</th><th scope="col">Tarjeta</th><th scope="col">Cliente</th>
<th scope="col">Pago</th><th scope="col">Datos</th></tr></thead><tbody>{rows}</tbody></table></div>""",
    )


def _statement_row(line: StatementLine) -> str:
    at = datetime.fromtimestamp(line.at, tz=UTC).strftime("%Y-%m-%d %H:%M:%S")
    data = ", ".join(f"{name}={value}" for name, value in line.metadata.items())
    return (
        f'<tr><td class="code">{at}</td><td>{KIND_LABELS[line.kind]}</td>'
        f'<td class="number">{format_amount(line.taken, line.currency)}</td>'
        f'<td class="code">{line.card_last4}</td>'
        f'<td class="code">{escape(line.customer or "—")}</td>'
        f'<td class="code">{escape(line.payment_intent or "—")}</td>'
        f"<td>{escape(data)}</td></tr>"
    )


def _page(title: str, body: str) -> str:
    return f"""<!doctype html>
<html lang="es-MX"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{escape(title)} · Stripe local</title><style>{STYLE}</style></head>
<body><div class="ribbon">Stripe local de prueba: aquí no se mueve dinero de verdad.</div>
<main>{body}</main></body></html>
"""
