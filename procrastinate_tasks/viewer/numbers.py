"""Numbers as addresses and forms hold them: text that anybody may have written."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation

LARGEST_ID = 2**63 - 1
_LONGEST = 40


def read_whole(text: str, *, most: int = LARGEST_ID) -> int | None:
    """Read a whole number that is not negative; None if it is none, ``most`` if it is larger."""
    if not (text.isascii() and text.isdecimal()):
        return None
    # Python refuses to read thousands of digits.
    return min(int(text), most) if len(text) <= _LONGEST else most


def read_decimal(text: str, *, most: int) -> Decimal | None:
    """Read a number such as ``0.5`` that is not negative; None if it is none, ``most`` if it is larger."""
    try:
        number = Decimal(text) if len(text) <= _LONGEST else Decimal("NaN")
    except InvalidOperation:
        return None
    return min(number, Decimal(most)) if number.is_finite() and number >= 0 else None
