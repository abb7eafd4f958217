"""How an amount of money is written."""

from __future__ import annotations

NO_BREAK = "\u00a0"


def format_pesos(amount_minor: int) -> str:
    """Return centavos as guests and staff read them: ``123450`` is ``$1,234.50 MXN``, never torn apart."""
    pesos, centavos = divmod(abs(amount_minor), 100)
    sign = "−" if amount_minor < 0 else ""
    return f"{sign}${pesos:,}.{centavos:02}{NO_BREAK}MXN"


def write_sum(amount_minor: int, currency: str) -> str:
    """Return a sum for staff to compare; another currency may have no hundredths, or thousandths."""
    if currency == "mxn":
        return f"{amount_minor / 100:,.2f}"
    return f"{amount_minor:,} {currency.upper()} (smallest units)"
