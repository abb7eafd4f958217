"""Send a refund through Stripe."""

from __future__ import annotations

from datetime import datetime

from payments import refunds
from payments.gateway import Gateway
from payments.models import Refund
from payments.policies import RefundState


def refund_payment(*, refund_id: int, gateway: Gateway, now: datetime) -> str:
    """Send a refund, or learn what became of it. Returns its state, or ``not_found``.

    Raises:
        TransientFault: run it again.
    """
    refund = Refund.objects.select_related("attempt").filter(pk=refund_id).first()
    if refund is None:
        return "not_found"
    if refund.state == RefundState.SUCCEEDED:
        return RefundState.SUCCEEDED.value
    return refunds.send(refund=refund, gateway=gateway, now=now).value
