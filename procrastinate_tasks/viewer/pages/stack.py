"""Where a running job stands: the last answer of its worker, and a button that asks again."""

from __future__ import annotations

from datetime import timedelta

from django.contrib.admin import AdminSite
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.translation import gettext as _

from procrastinate_tasks.jobs import stacks
from procrastinate_tasks.viewer.rendering import render_page

# A worker reads the question with its next heartbeat; who waits longer finds the answer by loading anew.
_WAIT = timedelta(seconds=3)


def show(request: HttpRequest, site: AdminSite, job_id: int) -> HttpResponse:
    """Show what the worker answered last; a POST asks, waits a little, and leads back here."""
    if request.method == "POST":
        if stacks.ask(job_id, within=_WAIT) is None:
            raise Http404
        return redirect(reverse("admin:queue_job_stack", args=[job_id], current_app=site.name))
    found = stacks.find_stack(job_id)
    if found is None:
        raise Http404
    title = _("Where job %(id)d stands") % {"id": job_id}
    return render_page(request, site, "stack.html", {"title": title, "job_id": job_id, "found": found})
