"""What probes and monitoring services ask for. Nothing here is kept, and nobody learns a secret."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps

from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.utils.cache import patch_cache_control
from django.utils.crypto import constant_time_compare
from django.views.decorators.http import require_safe

from procrastinate_tasks.conf import queue_settings
from procrastinate_tasks.database import DATABASE_FAULTS
from procrastinate_tasks.monitoring import metrics
from procrastinate_tasks.monitoring.health import Health, Readiness, check_health, judge_fault

View = Callable[[HttpRequest], HttpResponse]

_readiness = Readiness()


def not_stored(view: View) -> View:
    """Let no cache keep the answer."""

    @wraps(view)
    def answer(request: HttpRequest) -> HttpResponse:
        response = view(request)
        patch_cache_control(response, no_store=True)
        return response

    return answer


def token_required(view: View) -> View:
    """Answer only those who send ``Authorization: Bearer <PROCRASTINATE_TASKS_MONITORING_TOKEN>``.

    Without a token in the settings the address does not exist.
    """

    @wraps(view)
    def answer(request: HttpRequest) -> HttpResponse:
        token = queue_settings().monitoring_token
        if not token:
            raise Http404
        scheme, _, sent = request.headers.get("Authorization", "").partition(" ")
        # The name of a scheme is written in any case, RFC 9110.
        if scheme.lower() != "bearer" or not constant_time_compare(sent.strip(), token):
            return HttpResponse(status=401, headers={"WWW-Authenticate": "Bearer"})
        return view(request)

    return answer


@require_safe
@not_stored
def live(request: HttpRequest) -> HttpResponse:
    """Answer, without the database: this process runs."""
    return JsonResponse({"ok": True})


@require_safe
@not_stored
def ready(request: HttpRequest) -> HttpResponse:
    """Answer 200 when the database can be reached and has this code's tables, else 503."""
    return _answer(_readiness.check())


@require_safe
@not_stored
@token_required
def queue(request: HttpRequest) -> HttpResponse:
    """Answer 200 when the queue does its work, else 503; each check says how it stands."""
    try:
        health = check_health()
    except DATABASE_FAULTS as fault:
        health = Health(checks=(judge_fault(fault),))
    return _answer(health)


@require_safe
@not_stored
@token_required
def prometheus_metrics(request: HttpRequest) -> HttpResponse:
    """Answer with the numbers of the queue and of every app that registered some."""
    return HttpResponse(metrics.render(metrics.collect()), content_type=metrics.CONTENT_TYPE)


def _answer(health: Health) -> HttpResponse:
    checks = [{"name": check.name, "ok": check.is_ok, "sentence": check.sentence} for check in health.checks]
    body = {"ok": health.is_healthy, "checks": checks}
    return JsonResponse(
        body, status=200 if health.is_healthy else 503, json_dumps_params={"ensure_ascii": False}
    )
