"""What waits for a person, and for nobody else: no job will end it, so staff are told until somebody has."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from django.db.models import Exists, Min, OuterRef, QuerySet, Sum
from django.urls import reverse
from django.utils import formats, timezone
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from bookings.money import format_pesos
from payments import debts, policies
from payments.invariants.catalogue import INVARIANTS
from payments.models import Debt, Dispute, InvariantCheck, ReconciliationBreak, Refund
from payments.policies import RefundState


@dataclass(frozen=True, slots=True, kw_only=True)
class Concern:
    """A kind of row that only a person can end.

    Attributes:
        describe: that so many of them wait, in a sentence.
        query: what the list of ``page`` is filtered by, to show them.
    """

    name: str
    title: str | Promise
    advice: str | Promise
    rows: Callable[[], QuerySet[Any]]
    describe: Callable[[QuerySet[Any]], str]
    page: str
    query: Mapping[str, str]

    @property
    def address(self) -> str:
        return f"{reverse(self.page)}?{urlencode(self.query)}"


def _describe_disputes(disputes: QuerySet[Dispute]) -> str:
    count = disputes.count()
    sentence = ngettext(
        "%(count)d charge, %(amount)s, is disputed and waits for our answer.",
        "%(count)d charges, %(amount)s in all, are disputed and wait for our answer.",
        count,
    ) % {"count": count, "amount": _sum_of(disputes)}
    due_by = disputes.aggregate(first=Min("due_by"))["first"]
    if due_by is None:
        return sentence
    day = formats.date_format(timezone.localtime(due_by), "j M H:i")
    until = _("Evidence is taken until %(day)s.") % {"day": day}
    return f"{sentence} {until}"


def _failed_refunds() -> QuerySet[Refund]:
    """Leave out what cannot be paid again yet, as a bank still decides about its charge."""
    open_disputes = Dispute.objects.filter(
        attempt=OuterRef("attempt"), is_refundable=False, status__in=policies.OPEN_DISPUTES
    )
    return Refund.objects.filter(~Exists(open_disputes), state=RefundState.FAILED)


def _describe_refunds(refunds: QuerySet[Refund]) -> str:
    count = refunds.count()
    return ngettext(
        "%(count)d refund, %(amount)s, failed and is still owed to its guest.",
        "%(count)d refunds, %(amount)s in all, failed and are still owed to their guests.",
        count,
    ) % {"count": count, "amount": _sum_of(refunds)}


def _describe_breaks(breaks: QuerySet[ReconciliationBreak]) -> str:
    count = breaks.count()
    return ngettext(
        "%(count)d difference with Stripe is not explained.",
        "%(count)d differences with Stripe are not explained.",
        count,
    ) % {"count": count}


def _describe_invariants(checks: QuerySet[InvariantCheck]) -> str:
    broken = {each.name: str(each.broken) for each in INVARIANTS}
    told = [f"{each.name}, {broken.get(each.name, '')}: {_write_rows(each)}" for each in checks]
    return _("What must always hold does not: %(broken)s.") % {"broken": "; ".join(told)}


def _write_rows(check: InvariantCheck) -> str:
    if check.problem:
        return _("it could not be checked (%(problem)s)") % {"problem": check.problem}
    more = check.count - MOST_NAMED
    return ", ".join(check.rows[:MOST_NAMED]) + (f" (+{more})" if more > 0 else "")


# Of each invariant, in an alert.
MOST_NAMED = 5


def _describe_debts(overdue: QuerySet[Debt]) -> str:
    count = overdue.count()
    return ngettext(
        "%(count)d payment, %(amount)s, is overdue and not paid.",
        "%(count)d payments, %(amount)s in all, are overdue and not paid.",
        count,
    ) % {"count": count, "amount": _sum_of(overdue)}


def _sum_of(rows: QuerySet[Any]) -> str:
    return format_pesos(rows.aggregate(sum=Sum("amount_minor"))["sum"] or 0)


CONCERNS = (
    Concern(
        name="balances_overdue",
        title=gettext_lazy("A balance is overdue"),
        advice=gettext_lazy(
            "The list says who owes what, what the bank said and what comes next. Where nothing comes by"
            " itself, call the guest before they leave: the page of their booking takes another card."
        ),
        rows=lambda: debts.find_overdue(now=timezone.now()),
        describe=_describe_debts,
        page="admin:payments_debt_changelist",
        query={debts.IS_OVERDUE_PARAMETER: "yes"},
    ),
    Concern(
        name="disputes_to_answer",
        title=gettext_lazy("A charge is disputed"),
        advice=gettext_lazy(
            "Nothing more is collected for the booking. Answer in Stripe's dashboard before the date, with"
            " the confirmation, the terms and the proof of the stay; or accept the loss there."
        ),
        rows=lambda: Dispute.objects.filter(status__in=policies.DISPUTES_TO_ANSWER),
        describe=_describe_disputes,
        page="admin:payments_dispute_changelist",
        query={"status__in": ",".join(policies.DISPUTES_TO_ANSWER)},
    ),
    Concern(
        name="refunds_failed",
        title=gettext_lazy("A refund failed"),
        advice=gettext_lazy(
            "The guest has not got the money. Read why on the page of the refund; pay it again there, or ask"
            " the guest for another way."
        ),
        rows=_failed_refunds,
        describe=_describe_refunds,
        page="admin:payments_refund_changelist",
        query={"state__exact": RefundState.FAILED},
    ),
    Concern(
        name="differences_open",
        title=gettext_lazy("Stripe and we differ"),
        advice=gettext_lazy("Compare both on the page of the difference, and close it with an explanation."),
        rows=lambda: ReconciliationBreak.objects.filter(closed_at__isnull=True),
        describe=_describe_breaks,
        page="admin:payments_reconciliationbreak_changelist",
        query={"closed_at__isempty": "1"},
    ),
    Concern(
        name="invariants_broken",
        title=gettext_lazy("Money or nights do not add up"),
        advice=gettext_lazy(
            "Look at each row with manage.py explain_booking. Mend nothing by hand in the database: post a"
            " correction. If in doubt, pause the queue: manage.py jobs pause payments."
        ),
        rows=lambda: InvariantCheck.objects.filter(broken_since__isnull=False),
        describe=_describe_invariants,
        page="admin:payments_invariantcheck_changelist",
        query={"broken_since__isempty": "0"},
    ),
)
