"""The button of a refund that failed: another one is made, and who wanted it is written down."""

from __future__ import annotations

from typing import Any, ClassVar

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import URLPattern, path, reverse
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_POST

from payments.deferred_jobs import REFUND_PAYMENT
from payments.ledger import refunds
from payments.models import Refund
from payments.panels import job_subjects
from payments.panels.refusals import telling_refusals
from payments.policies import RefundState
from procrastinate_tasks.actions import audit
from procrastinate_tasks.actions.permissions import is_allowed
from procrastinate_tasks.actions.policies import Action
from procrastinate_tasks.actions.reports import ActionRequest, Actor, TargetReport
from procrastinate_tasks.actions.services import record_refused
from procrastinate_tasks.models import ActionOutcome


class PayAgain:
    """Mix into the admin of refunds, before ``TryAgain``; its page is ``payments/admin/refund.html``."""

    actions: ClassVar[Any] = ("try_again", "pay_again")

    def get_urls(self) -> list[URLPattern]:
        again = path(
            "<int:refund_id>/pay-again/",
            self.admin_site.admin_view(require_POST(self.pay_one_again)),  # type: ignore[attr-defined]
            name="payments_refund_pay_again",
        )
        return [again, *super().get_urls()]  # type: ignore[misc]

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **options: Any
    ) -> HttpResponse:
        is_owed = context["original"].state == RefundState.FAILED
        context["may_pay_again"] = is_owed and self.has_pay_again_permission(request)
        return super().render_change_form(request, context, *args, **options)  # type: ignore[misc,no-any-return]

    def has_pay_again_permission(self, request: HttpRequest) -> bool:
        return is_allowed(request.user, Action.RETRY, task_name=REFUND_PAYMENT)

    @admin.action(description=_("Pay again what failed"), permissions=["pay_again"])
    def pay_again(self, request: HttpRequest, queryset: QuerySet[Refund]) -> None:
        failed = queryset.filter(state=RefundState.FAILED).values_list("pk", flat=True)
        _pay_again([int(pk) for pk in failed], request)

    def pay_one_again(self, request: HttpRequest, refund_id: int) -> HttpResponse:
        if not self.has_pay_again_permission(request):
            record_refused(
                ActionRequest(action=Action.RETRY, targets=(f"refund {refund_id}",), actor=_actor(request))
            )
            raise PermissionDenied
        _pay_again([refund_id], request)
        return HttpResponseRedirect(reverse("admin:payments_refund_changelist"))


def pay_again(*, refund_id: int, actor: Actor) -> Refund:
    """Have a refund that failed paid by another one, under a key of its own.

    Raises:
        PaymentRefused: it is not owed (any more), or its charge is disputed.
    """
    with transaction.atomic():
        again = refunds.replace_refund(refund_id=refund_id)
        job_id = job_subjects.find_job_ids({"refund_id": [str(again.pk)]})[0]
        request = ActionRequest(
            action=Action.RETRY,
            targets=(str(job_id),),
            actor=actor,
        )
        report = TargetReport(
            action=request.action,
            target=str(job_id),
            outcome=ActionOutcome.APPLIED,
            task_name=REFUND_PAYMENT,
            detail={"refund_id": again.pk, "instead_of": refund_id},
        )
        audit.record(request, [report])
    audit.log(request, [report])
    return again


def _pay_again(refund_ids: list[int], request: HttpRequest) -> None:
    count = 0
    for refund_id in refund_ids:
        with telling_refusals(request):
            pay_again(refund_id=refund_id, actor=_actor(request))
            count += 1
    if count:
        text = ngettext(
            "%(count)d refund is paid again, by a job that waits now.",
            "%(count)d refunds are paid again, by jobs that wait now.",
            count,
        )
        messages.success(request, text % {"count": count})


def _actor(request: HttpRequest) -> Actor:
    return Actor(name=request.user.get_username(), user_id=request.user.pk)
