"""The alerts that fire: since when, what to do, where, and who has silenced which."""

from __future__ import annotations

from django.contrib.admin import AdminSite
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext as _

from procrastinate_tasks.database import ask_together
from procrastinate_tasks.queries.history import FACTS
from procrastinate_tasks.queues.pauses import PAUSES
from procrastinate_tasks.viewer.alert_rows import rows_of
from procrastinate_tasks.viewer.navigation import Links
from procrastinate_tasks.viewer.rendering import render_page


def show(request: HttpRequest, site: AdminSite) -> HttpResponse:
    links = Links(site.name)
    (now, pauses), facts = ask_together(PAUSES, FACTS)
    context = {
        "title": _("Alerts"),
        "now": now,
        "pauses": pauses,
        "rows": rows_of(facts.alerts, user=request.user, links=links, back=links.to("alerts")),
    }
    return render_page(request, site, "alerts.html", context)
