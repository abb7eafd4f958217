"""Stripe's signature of a webhook, over the bytes that came: also of a body that is no text.

Source: https://docs.stripe.com/webhooks#verify-manually; only the scheme v1 counts.
"""

from __future__ import annotations

import hashlib
import hmac
from datetime import timedelta


def is_signed(body: bytes, *, header: str, secret: str, tolerance: timedelta, now: float) -> bool:
    """Tell whether a body was signed with a secret, not longer ago than the tolerance.

    Args:
        header: ``Stripe-Signature`` as it came, such as ``t=1793642400,v1=…``.
        now: seconds since the epoch.
    """
    items = [item.partition("=") for item in header.split(",")]
    stamp = next((value for name, _, value in items if name == "t"), "")
    if not (stamp.isascii() and stamp.isdigit() and len(stamp) <= 12):
        return False
    if int(stamp) < now - tolerance.total_seconds():
        return False
    digest = hmac.new(secret.encode(), f"{stamp}.".encode() + body, hashlib.sha256).hexdigest().encode()
    given = [value.encode("utf-8", "replace") for name, _, value in items if name == "v1"]
    return any(hmac.compare_digest(digest, each) for each in given)
