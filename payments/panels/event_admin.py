"""The page of Stripe's events: what came, what became of it, its job and its booking; applying it again."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import Q, QuerySet
from django.db.models.fields.json import KeyTextTransform
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_POST

from bookings.read_only import NOTHING, OfficeList, ReadOnly, column, instant, link_to, write_instant
from payments import webhooks
from payments.deferred_jobs import APPLY_STRIPE_EVENT
from payments.models import StripeEvent
from payments.panels import job_subjects
from procrastinate_tasks.actions.permissions import is_allowed
from procrastinate_tasks.actions.policies import Action
from procrastinate_tasks.actions.reports import ActionRequest, Actor
from procrastinate_tasks.actions.services import record_refused
from procrastinate_tasks.models import Job

_FAMILIES = {
    "payment_intent": (_("payments"), ("payment_intent.",)),
    "checkout": (_("payment pages"), ("checkout.session.",)),
    "refund": (_("refunds"), ("refund.", "charge.refund.", "charge.refunded")),
    "dispute": (_("disputes"), ("charge.dispute.",)),
}


class FamilyFilter(admin.SimpleListFilter):
    """By what an event is about; the choices are ours, so that no table is read for them."""

    title = _("about")
    parameter_name = "about"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [
            *((name, label) for name, (label, _) in _FAMILIES.items()),
            ("other", gettext("something else")),
        ]

    def queryset(self, request: HttpRequest, queryset: QuerySet[StripeEvent]) -> QuerySet[StripeEvent]:
        ours = Q()
        for _label, prefixes in _FAMILIES.values():
            ours |= _begins_with(prefixes)
        if self.value() == "other":
            return queryset.exclude(ours)
        family = _FAMILIES.get(self.value() or "")
        return queryset.filter(_begins_with(family[1])) if family else queryset


class StripeEventAdmin(OfficeList, ReadOnly, admin.ModelAdmin):  # type: ignore[type-arg]
    """Without the payload, which holds the guest's personal data; Stripe's own dashboard shows it."""

    list_display = (
        "type_and_id",
        "state_since",
        "booking_link",
        "job_link",
        "received",
    )
    list_filter = ("state", FamilyFilter, "is_fetched", "received_at")
    search_fields = ("event_id__exact", "object_id__exact")
    search_help_text = _("A Stripe id")
    actions = ("apply_again",)
    readonly_fields = (
        "event",
        "type",
        "object_id",
        "shown_state",
        "note",
        "booking_link",
        "job_link",
        "happened",
        "received",
        "done",
        "is_fetched",
        "repeated",
        "version",
    )
    fields = readonly_fields
    change_form_template = "payments/admin/event.html"
    change_list_template = "payments/admin/events.html"
    event = column("event_id", _("event"))
    version = column("api_version", _("version of Stripe's API"))
    happened = instant("created_at", _("happened"))
    received = instant("received_at", _("received"))
    done = instant("applied_at", _("applied"))
    repeated = column("repetitions", _("repetitions"))

    # --- What is shown ------------------------------------------------------------------------------------

    def get_queryset(self, request: HttpRequest) -> QuerySet[StripeEvent]:
        return super().get_queryset(request).defer("payload")

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> Any:
        """Look up the bookings and jobs of all rows at once."""
        response = super().changelist_view(request, extra_context)
        changelist = getattr(response, "context_data", {}).get("cl")
        if changelist is not None:
            _add_subjects(changelist.result_list)
        return response

    def get_object(self, request: HttpRequest, *args: Any, **options: Any) -> StripeEvent | None:
        event = super().get_object(request, *args, **options)
        if event is not None:
            _add_subjects([event])
        return event

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **options: Any
    ) -> HttpResponse:
        context["may_apply_again"] = self._may_apply_again(request)
        return super().render_change_form(request, context, *args, **options)

    @admin.display(description=_("event"), ordering="type")
    def type_and_id(self, event: StripeEvent) -> SafeString:
        times = f"× {event.repetitions + 1}" if event.repetitions else ""
        return format_html('{} {} <span class="of-code">{}</span>', event.type, times, event.pk)

    @admin.display(description=_("state"), ordering="state")
    def state_since(self, event: StripeEvent) -> SafeString:
        badge = self.shown_state(event)
        return format_html("{} {}", badge, write_instant(event.applied_at)) if event.applied_at else badge

    @admin.display(description=_("state"), ordering="state")
    def shown_state(self, event: StripeEvent) -> SafeString:
        return format_html(
            '<span class="of-state of-state-{}">{}</span>', event.state, event.get_state_display()
        )

    @admin.display(description=_("booking"))
    def booking_link(self, event: StripeEvent) -> SafeString | str:
        payment = event.payment  # type: ignore[attr-defined]
        return link_to(payment.booking) if payment else NOTHING

    @admin.display(description=_("job"))
    def job_link(self, event: StripeEvent) -> SafeString | str:
        job_id = event.job_id  # type: ignore[attr-defined]
        if job_id is None:
            return NOTHING
        return format_html('<a href="{}">{}</a>', reverse("admin:queue_job", args=[job_id]), job_id)

    # --- What can be done ---------------------------------------------------------------------------------

    def get_urls(self) -> list[URLPattern]:
        again = path(
            "<str:event_id>/apply-again/",
            self.admin_site.admin_view(require_POST(self.apply_one_again)),
            name="payments_stripeevent_apply_again",
        )
        return [again, *super().get_urls()]

    def has_apply_again_permission(self, request: HttpRequest) -> bool:
        return self._may_apply_again(request)

    @admin.action(description=_("Apply again what Stripe says now"), permissions=["apply_again"])
    def apply_again(self, request: HttpRequest, queryset: QuerySet[StripeEvent]) -> None:
        self._apply([event.pk for event in queryset], request)

    def apply_one_again(self, request: HttpRequest, event_id: str) -> HttpResponse:
        """Apply one event again, from the button of its page."""
        if not self._may_apply_again(request):
            jobs = tuple(map(str, _find_jobs([event_id]).values()))
            record_refused(
                ActionRequest(action=Action.RETRY, targets=jobs or (event_id,), actor=_actor(request))
            )
            raise PermissionDenied
        self._apply([event_id], request)
        return HttpResponseRedirect(reverse("admin:payments_stripeevent_change", args=[event_id]))

    def _may_apply_again(self, request: HttpRequest) -> bool:
        return self.has_view_permission(request) and is_allowed(
            request.user, Action.RETRY, task_name=APPLY_STRIPE_EVENT
        )

    def _apply(self, event_ids: Sequence[str], request: HttpRequest) -> None:
        done = [webhooks.apply_again(event_id=event_id, actor=_actor(request)) for event_id in event_ids]
        deferred = sum(job_id is not None for job_id in done)
        if deferred:
            text = ngettext(
                "%(count)d event is applied again by a job that waits now.",
                "%(count)d events are applied again by jobs that wait now.",
                deferred,
            )
            self.message_user(request, text % {"count": deferred}, messages.SUCCESS)
        if deferred < len(done):
            text = ngettext(
                "%(count)d event was left as it is: its job waits already.",
                "%(count)d events were left as they are: their jobs wait already.",
                len(done) - deferred,
            )
            self.message_user(request, text % {"count": len(done) - deferred}, messages.WARNING)


def _begins_with(prefixes: Sequence[str]) -> Q:
    condition = Q()
    for prefix in prefixes:
        condition |= Q(type__startswith=prefix)
    return condition


def _add_subjects(events: Sequence[StripeEvent]) -> None:
    owners = job_subjects.find_owners([event.object_id for event in events])
    jobs = _find_jobs([event.pk for event in events])
    for event in events:
        event.payment = owners.get(event.object_id)  # type: ignore[attr-defined]
        event.job_id = jobs.get(event.pk)  # type: ignore[attr-defined]


def _find_jobs(event_ids: Sequence[str]) -> dict[str, int]:
    """Return each event's newest job, as far as it is kept."""
    jobs = Job.objects.annotate(event_id=KeyTextTransform("event_id", "args")).filter(event_id__in=event_ids)
    return dict(jobs.order_by("pk").values_list("event_id", "pk"))


def _actor(request: HttpRequest) -> Actor:
    return Actor(name=request.user.get_username(), user_id=request.user.pk)
