"""Sentry hears of jobs that failed for good and of scheduled runs, and of nobody's data."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator
from typing import Any

import pytest
import sentry_sdk
from procrastinate.contrib.django import app
from procrastinate.job_context import AbortReason, JobContext
from procrastinate.jobs import Job
from procrastinate.worker import Worker
from sentry_sdk.envelope import Envelope
from sentry_sdk.integrations.logging import EventHandler
from sentry_sdk.transport import Transport

from procrastinate_tasks.jobs import job_log
from procrastinate_tasks.monitoring import sentry
from reyes_estancias.sentry import start_sentry, without_private_data
from tests.integration.procrastinate_tasks.sample_tasks import Flaky

HOURLY = "bookings.tasks.mark_expired_holds"


class KeptTransport(Transport):
    """Keeps what would be sent."""

    def __init__(self) -> None:
        super().__init__({"dsn": "https://key@sentry.example/1"})
        self.items: list[dict[str, Any]] = []

    def capture_envelope(self, envelope: Envelope) -> None:
        self.items += [item.payload.json for item in envelope.items if item.payload.json]


@pytest.fixture(name="sent")
def _sentry_that_keeps() -> Iterator[list[dict[str, Any]]]:
    transport = KeptTransport()
    start_sentry(
        dsn="https://key@sentry.example/1",
        release="r1",
        transport=transport,
        default_integrations=False,
        auto_enabling_integrations=False,
    )
    try:
        yield transport.items
    finally:
        sentry_sdk.get_global_scope().set_client(None)


def context_of(task_name: str, *, attempts: int = 0, **arguments: Any) -> JobContext:
    job = Job(
        id=7,
        queue="sample",
        lock=None,
        queueing_lock=None,
        task_name=task_name,
        task_kwargs=arguments,
        attempts=attempts,
    )
    return JobContext(app=app, job=job, abort_reason=lambda: None, start_timestamp=0.0)


def run(context: JobContext, error: Exception | None = None) -> None:
    def call() -> str:
        if error is not None:
            raise error
        return "done"

    worker = Worker(app=app, install_signal_handlers=False)
    if error is None:
        assert sentry.report_sync(call, context, worker) == "done"
        return
    with pytest.raises(type(error)):
        sentry.report_sync(call, context, worker)


def flaky() -> Exception:
    return Flaky("cannot reach ana@example.com")


def test_a_job_that_failed_for_good_is_reported_without_its_arguments(sent: list[dict[str, Any]]):
    run(context_of("sample.flaky", attempts=2, email="ana@example.com"), flaky())

    (event,) = sent
    assert event["tags"] == {"task": "sample.flaky", "queue": "sample", "attempt": "3", "job_id": "7"}
    assert event["transaction"] == "sample.flaky"
    assert event["exception"]["values"][0]["value"] == "cannot reach [email]"
    assert "ana@example.com" not in str(event)
    assert all("vars" not in frame for frame in event["exception"]["values"][0]["stacktrace"]["frames"])


def test_a_job_that_will_be_retried_is_not_reported(sent: list[dict[str, Any]]):
    run(context_of("sample.flaky", email="ana@example.com"), flaky())

    assert sent == []


def test_a_success_is_not_reported(sent: list[dict[str, Any]]):
    run(context_of("sample.remember", number=1))

    assert sent == []


def test_an_async_job_is_reported_too(sent: list[dict[str, Any]]):
    async def fail() -> None:
        raise LookupError("gone")

    with pytest.raises(LookupError):
        asyncio.run(
            sentry.report_async(
                fail,
                context_of("sample.remember_async", number=1),
                Worker(app=app, install_signal_handlers=False),
            )
        )

    assert sent[0]["exception"]["values"][0]["value"] == "gone"


@pytest.mark.parametrize(
    ("reason", "is_told"), [(None, True), (AbortReason.USER_REQUEST, False), (AbortReason.SHUTDOWN, False)]
)
def test_a_cancellation_is_reported_unless_it_was_asked_for(
    reason: AbortReason | None, is_told: bool, sent: list[dict[str, Any]]
):
    async def cancelled() -> None:
        raise asyncio.CancelledError

    context = context_of("sample.remember_async", number=1).evolve(abort_reason=lambda: reason)
    with pytest.raises(asyncio.CancelledError):
        asyncio.run(sentry.report_async(cancelled, context, Worker(app=app, install_signal_handlers=False)))

    assert [item["exception"]["values"][0]["type"] for item in sent] == ["CancelledError"] * is_told


def test_a_scheduled_run_checks_in_with_its_cron_expression(sent: list[dict[str, Any]]):
    run(context_of(HOURLY))

    begun, done = sent
    assert [begun["status"], done["status"]] == ["in_progress", "ok"]
    assert begun["check_in_id"] == done["check_in_id"]
    assert begun["monitor_slug"] == "bookings-tasks-mark_expired_holds"
    assert begun["monitor_config"] == {
        "schedule": {"type": "crontab", "value": "0 * * * *"},
        "timezone": "America/Mexico_City",
    }


def test_a_scheduled_run_that_fails_says_so(sent: list[dict[str, Any]]):
    run(context_of(HOURLY), LookupError("gone"))

    assert [item.get("status") for item in sent] == ["in_progress", None, "error"]


def test_a_request_is_told_without_query_headers_and_the_link_of_a_booking():
    event = without_private_data(
        {
            "request": {
                "method": "POST",
                "url": "https://reyes.example/reservas/8mJx0vQ2k9fTzRw4LbnE1A/?a=b",
                "headers": {"Cookie": "sessionid=1"},
                "data": {"email": "ana@example.com"},
            }
        },
        {},
    )

    assert event["request"] == {"method": "POST", "url": "https://reyes.example/reservas/…/"}


def test_our_own_log_line_of_a_failed_job_is_no_second_event(sent: list[dict[str, Any]]):
    handler = EventHandler(level=logging.ERROR)
    assert sentry.begin_reporting() == [sentry.report_sync, sentry.report_async]

    for name in (job_log.logger.name, "shop.orders"):
        handler.handle(logging.makeLogRecord({"name": name, "levelno": logging.ERROR, "msg": "failed"}))

    assert [event["logger"] for event in sent] == ["shop.orders"]


def test_without_sentry_no_middleware_is_put_around_a_task():
    assert sentry.begin_reporting() == []
