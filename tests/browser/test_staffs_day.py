"""The errands of the office's day, each done in a browser: none takes more than six clicks.

Whoever does them begins on the admin's first page, signed in. What is typed into a form or chosen in it is no
click; the button that sends it is.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.urls import reverse
from django.utils import timezone
from playwright.sync_api import Browser, Locator, Page, expect

from bookings.models import Booking
from payments.deferred_jobs import CHARGE_BALANCE
from procrastinate_tasks.actions.policies import Action
from procrastinate_tasks.actions.reports import Actor
from procrastinate_tasks.actions.services import act
from procrastinate_tasks.jobs.deferring import defer
from procrastinate_tasks.models import AuditEntry, BulkOperation, JobAttempt, Outcome, Release, TaskPause
from procrastinate_tasks.models.monitoring import SLOT
from procrastinate_tasks.monitoring import rollup
from procrastinate_tasks.queues.pauses import pause_queue, resume_queue
from tests.browser import stage
from tests.browser.chromium import Look, chromium_or_skip, visit
from tests.browser.conftest import Office
from tests.factories import make_confirmed_booking, make_property

HARMLESS = "bookings.tasks.mark_expired_holds"
MOST_CLICKS = 6
OUTAGE, BROKEN = 300, 20


@dataclass(slots=True)
class Errand:
    """One member of the staff on one errand, whose clicks are counted."""

    page: Page
    clicks: int = 0

    def click(self, target: Locator) -> None:
        self.clicks += 1
        assert self.clicks <= MOST_CLICKS, f"the errand takes more than {MOST_CLICKS} clicks"
        target.first.click()
        self.page.wait_for_load_state()

    def open(self, name: str) -> None:
        """Follow a link of the page to one of the admin's pages."""
        self.click(self.page.locator(f"a[href='{reverse(f'admin:{name}')}']"))


@pytest.fixture(scope="module")
def office(db: None) -> Iterator[Office]:
    """A small office: one guest's booking, and a few jobs in every state."""
    chromium_or_skip()
    now, check_in = timezone.now(), timezone.localdate() + timedelta(days=20)
    make_confirmed_booking(now=now, home=make_property(), check_in=check_in)
    stage.fill_the_queue(count=60)
    owner = stage.sign_in(User.objects.create_superuser("duena"))
    with stage.open_site() as base_url:
        yield Office(base_url, owner, ())


@pytest.fixture
def errand(browser: Browser, office: Office) -> Iterator[Errand]:
    with visit(browser, office.base_url, Look(), session=office.owner) as opened:
        opened.go(reverse("admin:index"))
        yield Errand(opened.page)
        assert opened.complaints == []


def make_failed_jobs(
    count: int, *, exception: str, fingerprint: str, task: str = CHARGE_BALANCE, release: str = ""
) -> None:
    """Let so many jobs of a task have failed a moment ago, all by one fault."""
    now = timezone.now()
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO procrastinate_jobs (queue_name, task_name, priority, args)"
            " SELECT 'payments', %s, 0, jsonb_build_object('booking_id', -number)"
            " FROM generate_series(1, %s) AS number RETURNING id",
            [task, count],
        )
        job_ids = [job_id for (job_id,) in cursor.fetchall()]
        cursor.execute(
            "UPDATE procrastinate_jobs SET status = 'failed', attempts = 1 WHERE id = ANY(%s)", [job_ids]
        )
    JobAttempt.objects.bulk_create(
        JobAttempt(
            job_id=job_id,
            attempt=1,
            task_name=task,
            queue_name="payments",
            host="web.1",
            release=release,
            started_at=now - timedelta(seconds=2),
            finished_at=now,
            outcome=Outcome.FAILED,
            exception_class=exception,
            message="no answer",
            fingerprint=fingerprint,
        )
        for job_id in job_ids
    )


def test_was_this_guest_charged_twice(errand: Errand):
    booking = stage.ask(Booking.objects.get)

    errand.open("bookings_booking_changelist")
    errand.page.locator("#searchbar").fill(booking.guest_email)
    errand.page.keyboard.press("Enter")
    errand.page.wait_for_load_state()
    errand.click(errand.page.get_by_role("link", name=booking.folio))
    errand.click(
        errand.page.locator(f"a[href='{reverse('admin:bookings_booking_explain', args=[booking.pk])}']")
    )

    expect(errand.page.get_by_role("main")).to_contain_text("No, nada se cobró dos veces")
    assert errand.clicks == 3


def test_the_queue_stands_still(errand: Errand):
    stage.ask(lambda: pause_queue(queue="payments", by="ana", reason="esperamos al banco"))
    try:
        errand.open("queue_dashboard")

        banner = errand.page.locator(".jv-paused", has_text="payments")
        expect(banner).to_contain_text(re.compile("en pausa por ana desde .*esperamos al banco", re.DOTALL))
    finally:
        stage.ask(lambda: resume_queue(queue="payments"))
    assert errand.clicks == 1


def test_stripe_was_down_for_an_hour_and_its_charges_are_retried_slowly(errand: Errand):
    def fail() -> None:
        make_failed_jobs(OUTAGE, exception="stripe.APIConnectionError", fingerprint="outage")
        make_failed_jobs(3, exception="payments.errors.Unrelated", fingerprint="another")

    stage.ask(fail)

    errand.open("queue_failures")
    errand.click(errand.page.locator("th a[href*='fault=outage']"))
    errand.click(errand.page.get_by_role("link", name=re.compile(f"Reintentar los {OUTAGE} trabajos")))
    pace = errand.page.get_by_label("Ritmo")
    expect(pace).to_have_value(re.compile(r"^\d+$"))
    errand.page.get_by_label("Motivo (obligatorio)").fill("Stripe estuvo caído una hora")
    errand.page.locator("#b-typed").fill(str(OUTAGE))
    errand.click(errand.page.get_by_role("button", name="Reintentar", exact=True))

    operation = stage.ask(lambda: BulkOperation.objects.latest("id"))
    assert operation.requested == OUTAGE
    assert operation.pace_per_minute, "charges go at a pace"
    expect(errand.page).to_have_url(re.compile(rf"/queue/bulk/{operation.pk}/"))
    assert errand.clicks == 4


def test_charging_is_paused_now_and_nothing_else(errand: Errand):
    errand.open("queue_queues")
    errand.click(errand.page.locator("summary", has_text="Pausar una sola tarea"))
    errand.click(errand.page.locator(f"a[href*='action=pause_task'][href*='task={CHARGE_BALANCE}']"))
    errand.page.get_by_label("Se reanuda sola").select_option("30")
    errand.click(errand.page.get_by_role("button", name="Pausar la tarea"))

    (pause,) = stage.ask(lambda: list(TaskPause.objects.all()))
    stage.ask(lambda: TaskPause.objects.all().delete())
    expect(errand.page.locator(".jv-paused", has_text="Cobrar el saldo")).to_be_visible()
    assert (pause.task_name, pause.paused_until is not None) == (CHARGE_BALANCE, True)
    assert errand.clicks == 4


def test_what_runs_next(errand: Errand):
    errand.open("queue_dashboard")

    expect(errand.page.locator("#upcoming-title")).to_be_visible()
    errand.click(errand.page.locator("a[href*='tab=scheduled']"))

    rows = errand.page.locator("table.jv-jobs tbody tr")
    due = rows.locator("time").evaluate_all("times => times.map(time => time.dateTime)")
    assert rows.count() > 1
    assert due == sorted(due)
    assert errand.clicks == 2


def test_who_cancelled_this_job(errand: Errand):
    def cancel() -> int:
        job_id = defer(HARMLESS, {}, queueing_lock=None)
        assert job_id is not None
        act(Action.CANCEL, job_ids=[job_id], actor=Actor(name="sofia"), reason="ya no hace falta")
        return job_id

    job_id = stage.ask(cancel)

    errand.open("queue_jobs")
    errand.page.get_by_label("Buscar", exact=True).fill(str(job_id))
    errand.page.keyboard.press("Enter")
    errand.page.wait_for_load_state()
    errand.click(errand.page.locator(f"a[href$='/queue/jobs/{job_id}/']"))

    main = errand.page.get_by_role("main")
    expect(main).to_contain_text("sofia")
    expect(main).to_contain_text("ya no hace falta")
    assert errand.clicks == 2


def test_a_deploy_broke_a_task(errand: Errand):
    def deploy() -> None:
        Release.objects.create(name="v99", first_seen_at=timezone.now() - timedelta(seconds=5))
        make_failed_jobs(
            BROKEN, task=HARMLESS, exception="bookings.errors.Broken", fingerprint="broken", release="v99"
        )
        rollup.run_once(timezone.now() + 2 * SLOT)

    stage.ask(deploy)

    errand.open("queue_dashboard")
    errand.click(errand.page.locator(".jv-attention a", has_text="v99"))
    errand.click(errand.page.locator("th a[href*='fault=broken']"))

    main = errand.page.get_by_role("main")
    expect(main).to_contain_text("v99")
    expect(main).to_contain_text("broken")
    expect(main.get_by_role("link", name=re.compile(f"Reintentar los {BROKEN} trabajos"))).to_be_visible()
    assert errand.clicks == 3


def test_an_alert_is_silenced_with_a_note(errand: Errand):
    def ring() -> None:
        with connection.cursor() as cursor:
            cursor.execute(
                "INSERT INTO procrastinate_tasks_alertstate"
                " (rule, subject, sentence, seen_at, fired_at, measure)"
                " VALUES ('jobs_failing', 'payments', 'Fallaron 120 trabajos.', now(), now(), 120)"
            )

    stage.ask(ring)

    errand.open("queue_dashboard")
    errand.click(errand.page.locator(".jv-attention a[href*='silence_alert']"))
    errand.page.get_by_label("Se vuelve a avisar").select_option("60")
    errand.page.get_by_label("Motivo (obligatorio)").fill("Stripe está caído, lo vigilo")
    errand.click(errand.page.get_by_role("button", name="Silenciar la alerta"))

    expect(errand.page.locator(".jv-attention")).to_contain_text("La silenció duena hasta el")
    entry = stage.ask(lambda: AuditEntry.objects.latest("id"))
    assert (entry.action, entry.reason) == ("silence_alert", "Stripe está caído, lo vigilo")
    assert errand.clicks == 3
