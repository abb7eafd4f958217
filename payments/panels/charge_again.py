"""An action of the list of debts: the saved card is asked again now, without waiting for the next try.

For what failed by a fault of ours, such as the key of another account, or once a guest says that there is
money now. A bank that forbids it is not asked, nor a card whose tries are used up.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, ClassVar

from django.conf import settings
from django.contrib import admin, messages
from django.db import transaction
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from payments.deferred_jobs import CHARGE_BALANCE, CHARGE_PAYMENT, charge_at_once
from payments.exceptions import BookingBusy
from payments.ledger import dunning
from payments.models import Debt
from payments.policies import PaymentKind
from procrastinate_tasks.actions import audit
from procrastinate_tasks.actions.permissions import is_allowed
from procrastinate_tasks.actions.policies import Action
from procrastinate_tasks.actions.reports import ActionRequest, Actor, TargetReport
from procrastinate_tasks.models import ActionOutcome


class ChargeAgain:
    """Mix into the list of debts; what is not refused, or must not be asked again, is passed over."""

    actions: ClassVar[Any] = ("charge_again",)

    def has_charge_again_permission(self, request: HttpRequest) -> bool:
        return is_allowed(request.user, Action.RETRY, task_name=CHARGE_BALANCE)

    @admin.action(description=_("Charge the saved card again"), permissions=["charge_again"])
    def charge_again(self, request: HttpRequest, queryset: QuerySet[Debt]) -> None:
        actor = Actor(name=request.user.get_username(), user_id=request.user.pk)
        count = len(charge_again(list(queryset), actor=actor, now=timezone.now()))
        text = ngettext(
            "%(count)d card is asked again now. What was not refused, or must not be asked again, is left.",
            "%(count)d cards are asked again now. What was not refused, or must not be asked again, is left.",
            count,
        )
        messages.info(request, text % {"count": count})


def charge_again(debts: Sequence[Debt], *, actor: Actor, now: datetime) -> list[Debt]:
    """Have the cards of refused payments asked again, and write down who wanted it. Returns of which."""
    return [debt for debt in debts if _ask_again(debt, actor=actor, now=now)]


def _ask_again(debt: Debt, *, actor: Actor, now: datetime) -> bool:
    """Each by itself: a booking that somebody has locked keeps no other waiting."""
    try:
        with transaction.atomic():
            if not dunning.ask_again(payment_id=debt.pk, now=now):
                return False
            job_id = charge_at_once(payment=debt, base_url=settings.SITE_BASE_URL)
            if job_id is None:
                return False
            request, report = _describe(debt, job_id, actor)
            audit.record(request, [report])
    except BookingBusy:
        return False
    audit.log(request, [report])
    return True


def _describe(debt: Debt, job_id: int, actor: Actor) -> tuple[ActionRequest, TargetReport]:
    request = ActionRequest(action=Action.RETRY, targets=(str(job_id),), actor=actor)
    report = TargetReport(
        action=request.action,
        target=str(job_id),
        outcome=ActionOutcome.APPLIED,
        task_name=CHARGE_BALANCE if debt.kind == PaymentKind.BALANCE else CHARGE_PAYMENT,
        detail={"payment_id": debt.pk},
    )
    return request, report
