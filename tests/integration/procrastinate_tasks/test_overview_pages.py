"""The pages that show the whole queue: their numbers, their cost, who sees what, and in which language."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client, override_settings
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from procrastinate_tasks.conf import Rate
from procrastinate_tasks.jobs.deferring import defer
from procrastinate_tasks.jobs.descriptions import TaskDescription, _presentations
from procrastinate_tasks.models import Outcome, Release, ScheduleState, TaskRollup
from procrastinate_tasks.monitoring import rollup
from procrastinate_tasks.monitoring.alerts.rules import AlertRule, Finding
from procrastinate_tasks.monitoring.panels import Figure, Notice, Panel, PanelContent, _panels, add_panel
from procrastinate_tasks.monitoring.snapshot import Snapshot
from procrastinate_tasks.queues import control, pauses
from tests.integration.pages import english_words, read
from tests.integration.procrastinate_tasks import overview
from tests.integration.procrastinate_tasks.claiming import execute
from tests.integration.procrastinate_tasks.job_states import make_job
from tests.integration.procrastinate_tasks.monitoring.faults import look, only_rule, settings_at_once
from tests.integration.procrastinate_tasks.overview import PAGES, a_failure, a_worker, an_attempt, page, staff

pytestmark = pytest.mark.django_db

MINUTE = timedelta(minutes=1)
# The site's two panels are among them: each is one query, and two for the savepoint around it.
MOST_QUERIES = 9

_NO_WORDS = re.compile(
    rb'<code[^>]*>.*?</code>|<span lang="">.*?</span>|<strong>.*?</strong>|<th scope="row">.*?</th>',
    re.DOTALL,
)


@pytest.fixture
def viewer() -> Client:
    return staff("view_job")


@pytest.fixture
def operator() -> Client:
    return staff(
        "view_job",
        "pause_queue",
        "limit_queue",
        "run_schedule",
        "disable_schedule",
        "rescue_job",
        "retry_job",
    )


@pytest.fixture
def now() -> datetime:
    return timezone.now()


@pytest.fixture
def busy(now: datetime) -> None:
    """Leave something of everything: waiting, blocked, paused, running, orphaned, failed, summed up."""
    for number in range(3):
        defer("sample.remember", {"number": number}, priority=number)
    first, second = (defer("sample.remember", {"number": number}) for number in (8, 9))
    for job_id in (first, second):
        overview.set_job(job_id, lock="booking:1")
    defer("sample.remember", {"number": 4}, schedule_at=now + timedelta(hours=1))
    retrying = defer("sample.remember", {"number": 5}, schedule_at=now + timedelta(hours=1))
    overview.set_job(retrying, attempts=1)
    alive, lost = a_worker(), a_worker(silent=timedelta(minutes=2), host="worker.2", release="v41")
    for worker_id in (alive, lost):
        overview.set_job(defer("sample.remember", {"number": 6}), status="doing", worker_id=worker_id)
    failed = defer("sample.remember", {"number": 7})
    overview.set_job(failed, status="doing")
    overview.set_job(failed, status="failed")
    a_failure(finished_at=now - 10 * MINUTE, job_id=failed or 0)
    for minutes in range(3, 60, 7):
        an_attempt(finished_at=now - minutes * MINUTE)
    sum_up(now + 6 * MINUTE)


def sum_up(now: datetime) -> None:
    while rollup.run_once(now).has_more:
        pass


@pytest.fixture(autouse=True)
def _no_panels_of_the_project() -> Iterator[None]:
    """Set the project's own panels aside, and forget the test's after it."""
    others = _panels.copy()
    _panels.clear()
    yield
    _panels[:] = others


@pytest.fixture
def presented() -> Iterator[None]:
    """Register a task that moves money."""
    _presentations["sample.remember"] = TaskDescription(
        title="Charge the balance", describe=lambda jobs: {}, moves_money=True
    )
    yield
    del _presentations["sample.remember"]


def a_slot(slot_at: datetime, *, failed: int) -> None:
    TaskRollup.objects.create(
        slot_at=slot_at, task_name="t", queue_name="q", succeeded=0, failed=failed, retried=0
    )


def cards(response: Any) -> dict[str, Any]:
    return {card.title: card for card in response.context["cards"]}


def details(card: Any) -> dict[str, str]:
    return {detail.label: detail.value for detail in card.details}


# --- Dashboard --------------------------------------------------------------------------------------------


def test_an_alert_that_was_told_needs_attention_until_it_is_over(viewer):
    def find(snapshot: Snapshot) -> Iterator[Finding]:
        yield Finding(subject="oven", sentence="The oven is on fire.")

    rule = AlertRule(name="fire", title="Fire", advice="Run.", find=find, page="admin:queue_workers")
    with settings_at_once(), only_rule(rule):
        assert "on fire" not in read(page(viewer, "queue_dashboard"))

        look()

        concern = page(viewer, "queue_dashboard").context["concerns"][0]
        assert concern.sentence == "Alert: Fire. The oven is on fire."
        assert concern.url == reverse("admin:queue_workers")

    assert "on fire" not in read(page(viewer, "queue_dashboard")), "the code has no such rule any more"


@pytest.mark.usefixtures("busy")
def test_the_cards_split_what_waits_and_what_is_in_progress(viewer):
    shown = cards(page(viewer, "queue_dashboard"))

    assert (shown["Ready"].value, shown["Running"].value, shown["Orphaned"].value) == ("4", "1", "1")
    assert details(shown["Ready"])["blocked by a lock"] == "1"
    assert details(shown["Ready"])["scheduled for later"] == "1"
    assert details(shown["Ready"])["to be retried"] == "1"
    assert shown["Running"].verdict == "of 4 slots"
    assert (shown["Workers"].value, details(shown["Workers"])["lost"]) == ("1", "1")
    assert shown["Failed in 24 h"].value == "1"
    assert shown["Release"].value == "v42"


@pytest.mark.usefixtures("busy")
def test_ready_jobs_of_a_paused_queue_count_as_paused(viewer):
    pauses.pause_queue(queue="sample", by="rosa")

    shown = details(cards(page(viewer, "queue_dashboard"))["Ready"])

    assert (shown["paused"], shown["blocked by a lock"]) == ("5", "0")


def test_the_failures_of_the_day_before_are_jobs_that_are_failed_still(viewer):
    for hours in (1, 30, 47, 49):
        job_id = make_job(status="failed")
        execute(
            "UPDATE procrastinate_events SET at = now() - %s * interval '1 hour' WHERE job_id = %s",
            hours,
            job_id,
        )

    card = cards(page(viewer, "queue_dashboard"))["Failed in 24 h"]

    assert (card.value, details(card)["the day before"]) == ("1", "2")


@pytest.mark.usefixtures("busy", "presented")
def test_what_needs_attention_is_told_in_sentences_the_most_urgent_first(viewer):
    pauses.pause_queue(queue="sample", by="rosa")
    with connection.cursor() as cursor:
        cursor.execute("UPDATE procrastinate_tasks_queuerule SET paused_at = now() - interval '2 hours'")

    sentences = [concern.sentence for concern in page(viewer, "queue_dashboard").context["concerns"]]

    assert sentences == [
        "1 job has lost its worker.",
        "Money: 1 job of “Charge the balance” failed in the last 24 h.",
        "Queue sample has been paused by rosa for 2 h.",
    ]


def test_no_worker_a_long_wait_and_an_overdue_schedule_need_attention(viewer, now):
    job_id = defer("sample.remember", {"number": 1})
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE procrastinate_events SET at = now() - interval '6 minutes' WHERE job_id = %s", [job_id]
        )
    ScheduleState.objects.create(
        name="bookings.tasks.mark_expired_holds",
        known_since={"0 * * * * America/Mexico_City": (now - timedelta(days=1)).isoformat()},
        last_tick_at=now - timedelta(hours=3),
    )

    text = read(page(viewer, "queue_dashboard"))

    assert "No worker is alive, and 1 job waits" in text
    assert "Queue sample: the oldest ready job has waited for 6 min." in text
    assert re.search(r"should have started \d h ago \(Every hour, on the hour\)", text)


def test_a_schedule_that_stays_disabled_is_not_forgotten(viewer, now):
    a_worker()
    ScheduleState.objects.create(
        name="bookings.tasks.mark_expired_holds", disabled_at=now - timedelta(hours=3), disabled_by="rosa"
    )

    assert "has been disabled by rosa for 3 h." in read(page(viewer, "queue_dashboard"))


def test_a_quiet_queue_says_so_and_an_empty_chart_says_why(viewer):
    a_worker()

    text = read(page(viewer, "queue_dashboard"))

    assert "Nothing: jobs are prompt, no worker is lost" in text
    assert "Nothing to draw yet: workers sum up every five minutes" in text


def test_only_seven_sentences_are_shown_and_the_rest_unfold(viewer, presented):
    a_worker()
    notices = tuple(Notice(sentence=f"Sentence {number}.", url="/x/") for number in range(9))
    add_panel(
        Panel(
            title="Today in money",
            read=lambda: PanelContent(figures=(), notices=notices),
            permission="procrastinate_tasks.view_job",
        )
    )

    response = page(viewer, "queue_dashboard")

    assert len(response.context["concerns"]) == 7
    assert "And 2 more." in read(response)
    assert all(f"Sentence {number}." in read(response) for number in range(9))


def test_a_panel_of_the_project_is_shown_to_those_who_may_see_it(viewer, presented):
    shown = Panel(
        title="Today in money",
        read=lambda: PanelContent(figures=(Figure(label="Charged", value="$1,200.00 MXN", url="/paid/"),)),
        permission="procrastinate_tasks.view_job",
    )
    hidden = Panel(title="Salaries", read=lambda: PanelContent(figures=()), permission="x.view_salary")
    for panel in (shown, hidden):
        add_panel(panel)

    response = page(viewer, "queue_dashboard")

    assert "Today in money Charged $1,200.00 MXN" in read(response)
    assert 'href="/paid/"' in response.content.decode()
    assert "Salaries" not in read(response)


def test_a_panel_that_fails_breaks_no_page(viewer, presented, caplog):
    def tell() -> PanelContent:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1 / 0")
        raise AssertionError

    add_panel(Panel(title="Money", read=tell, permission="procrastinate_tasks.view_job"))

    assert "These numbers could not be read just now" in read(page(viewer, "queue_dashboard"))
    assert "A panel of the dashboard failed" in caplog.text


@pytest.mark.usefixtures("busy")
def test_the_charts_hold_what_ended_and_their_tables_the_same(viewer):
    response = page(viewer, "queue_dashboard")

    throughput, (task,) = response.context["throughput"], response.context["tasks"]
    assert throughput.summary == "In 24 h 9 runs succeeded, 1 failed for good, 0 were retried."
    assert sum(int(row[1]) for row in throughput.rows) == 9
    assert len(throughput.rows) == 24
    assert (task.name, task.runs, task.failed) == ("sample.remember", 10, 1)
    assert task.run_typical == timedelta(seconds=1)
    assert "table-throughput" in response.content.decode()


@pytest.mark.usefixtures("busy")
def test_a_release_of_the_day_is_a_mark_in_the_chart(viewer, now):
    Release.objects.update_or_create(name="v42", defaults={"first_seen_at": now - timedelta(hours=2)})
    Release.objects.update_or_create(name="v41", defaults={"first_seen_at": now - timedelta(days=3)})

    chart = page(viewer, "queue_dashboard").context["throughput"]

    assert [mark.label for mark in chart.marks] == ["v42"]
    assert "first worker of release v42" in chart.note


@pytest.mark.usefixtures("busy")
def test_the_state_is_there_for_programs_too(viewer):
    state = page(viewer, "queue_state_json").json()

    assert state["jobs"] == {
        "ready": 4,
        "blocked": 1,
        "paused": 0,
        "scheduled": 1,
        "to_be_retried": 1,
        "running": 1,
        "orphaned": 1,
        "failed_last_day": 1,
    }
    assert [queue["queue"] for queue in state["queues"]] == ["sample"]
    assert isinstance(state["queues"][0]["oldest_wait"], float)
    assert datetime.fromisoformat(state["now"]).tzinfo is not None


# --- Failures ---------------------------------------------------------------------------------------------


def test_failures_are_grouped_by_task_and_fault_over_four_times(viewer, now):
    ages = (10 * MINUTE, timedelta(hours=5), timedelta(days=3), timedelta(days=10))
    for job_id, age in enumerate(ages, start=1):
        a_failure(finished_at=now - age, job_id=job_id)
        a_failure(finished_at=now - age - MINUTE, job_id=job_id)  # a job counts once, by its latest run
    a_failure(finished_at=now - timedelta(days=4), job_id=1)
    a_failure(finished_at=now - 2 * MINUTE, fingerprint="f2", outcome=Outcome.RETRYING)
    an_attempt(finished_at=now)

    newest, other = (group for group, _cells in page(viewer, "queue_failures").context["rows"])

    assert (newest.fingerprint, newest.total) == ("f2", 1)
    assert (other.last_hour, other.last_day, other.last_week, other.total) == (1, 2, 3, 4)
    assert other.first_seen_at == now - timedelta(days=10) - MINUTE
    assert other.last_seen_at == now - 10 * MINUTE
    assert (other.exception_name, other.first_line, other.release) == ("Broken", "it broke", "v42")


def test_each_number_leads_to_the_jobs_it_counts(viewer, now):
    for age in (10 * MINUTE, timedelta(hours=5)):
        job_id = defer("sample.remember", {"number": 1})
        overview.set_job(job_id, status="doing")
        overview.set_job(job_id, status="failed")
        a_failure(finished_at=now - age, job_id=job_id or 0)
    ((_group, cells),) = page(viewer, "queue_failures").context["rows"]

    struck = [len(viewer.get(cell["url"]).context["jobs"]) for cell in cells]

    assert struck == [1, 2, 2, 2]
    assert [cell["count"] for cell in cells] == struck


FAULT = {"task": "sample.remember", "fault": "f1", "exception": "sample.errors.Broken"}


def struck_job(now, *, status: str, **changes: Any) -> int:
    """Return a job that the fault struck, and that is now in ``status``."""
    job_id = defer("sample.remember", {"number": 1})
    assert job_id is not None
    overview.set_job(job_id, status="doing")
    overview.set_job(job_id, status=status)
    a_failure(**{"finished_at": now, "job_id": job_id, **changes})
    return job_id


def test_a_group_is_retried_through_the_page_that_looks_first(now):
    failed, _succeeded = (struck_job(now, status=status) for status in ("failed", "succeeded"))

    offered = page(staff("view_job", "retry_job"), "queue_failures", **FAULT).context["retry_url"]
    hidden = page(staff("view_job"), "queue_failures", **FAULT).context["retry_url"]

    assert f"action=retry&job={failed}&next=" in offered
    assert hidden == ""


def test_a_retry_of_a_fault_covers_all_its_failed_jobs_however_many_runs_came_after(now):
    failed = [struck_job(now - timedelta(hours=1), status="failed") for _ in range(120)]
    for _ in range(30):
        struck_job(now, status="succeeded")
    struck_job(now, status="failed", fingerprint="f2")

    looked = page(staff("view_job", "retry_job", "bulk_jobs"), "queue_failures", **FAULT)
    bulk_page = staff("view_job", "retry_job", "bulk_jobs").get(looked.context["retry_url"])
    listed = staff("view_job").get(looked.context["failed_url"])
    without = page(staff("view_job", "retry_job"), "queue_failures", **FAULT)

    assert "Retry the 120 jobs that failed…" in read(looked)
    assert bulk_page.context["plan"].job_ids == failed
    assert [tab.count for tab in listed.context["tabs"] if tab.is_current] == ["120"]
    assert without.context["retry_url"] == "", "so many take the permission for bulk operations"
    assert "120" in read(without)


@pytest.mark.parametrize(
    ("fault", "count"),
    [("f1", 2), ("f1:sample.errors.Broken", 1), ("f1:x.Y", 0), (":sample.errors.Broken", 0)],
)
def test_jobs_are_listed_by_the_fingerprint_that_their_page_shows(viewer, now, fault: str, count: int):
    struck_job(now, status="failed")
    struck_job(now, status="failed", exception_class="sample.errors.Other")
    struck_job(now, status="failed", fingerprint="f2")

    listed = page(viewer, "queue_jobs", fault=fault, tab="failed").context

    assert len(listed["rows"]) == count
    assert f"the fault {fault}" in listed["meaning"]


def test_a_fault_that_was_pruned_leads_back_to_the_list(viewer):
    response = page(viewer, "queue_failures", task="sample.remember", fault="gone", exception="x.Y")

    assert "The runs of that fault were pruned" in read(response)


# --- Queues -----------------------------------------------------------------------------------------------


def queue_row(client: Client, name: str = "sample") -> Any:
    return next(row for row in page(client, "queue_queues").context["rows"] if row.load.queue == name)


@pytest.mark.usefixtures("busy")
def test_a_queue_tells_what_it_waits_for_and_who_serves_it(viewer):
    row = queue_row(viewer)

    assert (row.load.ready, row.load.blocked, row.load.scheduled, row.load.to_be_retried) == (4, 1, 1, 1)
    assert (row.load.running, row.load.orphaned, row.load.failed_last_day) == (1, 1, 1)
    assert (row.listening, row.ended) == (1, 10)
    assert "resume" not in row.links


@pytest.mark.usefixtures("busy")
def test_a_paused_and_limited_queue_says_by_whom_why_and_how(operator):
    pauses.pause_queue(queue="sample", by="rosa", reason="the mail is down")
    control.limit_queue(queue="sample", rate=Rate(20, per=timedelta(seconds=1)), concurrency=3)

    row, text = queue_row(operator), read(page(operator, "queue_queues"))

    assert row.limits == ("20 per 1 s (0 started)", "3 at a time", "set by hand")
    assert re.search(r"by rosa, \d+ s ago : the mail is down", " ".join(text.split())), text
    assert "action=resume&queue=sample" in row.links["resume"]
    assert "rate=20&rate_seconds=1&concurrency=3" in row.links["limit"]
    assert "pause" not in row.links


def test_who_may_not_pause_reads_why_there_is_no_button():
    hint = "To pause or resume needs a permission"

    assert hint in read(page(staff("view_job"), "queue_queues"))
    assert hint not in read(page(staff("view_job", "pause_queue"), "queue_queues"))


def test_a_queue_without_work_is_listed_because_a_task_is_in_it(viewer):
    row = queue_row(viewer)

    assert (row.load.ready, row.is_waiting, row.drawing) == (0, False, None)


# --- Workers ----------------------------------------------------------------------------------------------


def test_a_worker_is_well_doubtful_or_lost_by_the_age_of_its_heartbeat(viewer):
    for seconds in (3, 20, 40):
        a_worker(silent=timedelta(seconds=seconds))

    rows = page(viewer, "queue_workers").context["rows"]

    assert [row.state for row in rows] == ["Well", "Doubtful", "Lost"]


def test_a_worker_that_beats_each_second_is_lost_sooner(viewer):
    a_worker(silent=timedelta(seconds=4), orphaned_after=timedelta(seconds=3.5))

    (row,) = page(viewer, "queue_workers").context["rows"]

    assert row.state == "Lost"
    assert "lost after 3.5 s" in read(page(viewer, "queue_workers"))


@pytest.mark.parametrize(
    ("skew", "words"),
    [
        (None, ""),
        (timedelta(seconds=0.4), "its clock is right"),
        (timedelta(seconds=12), "its clock is 12 s ahead"),
        (timedelta(minutes=-2), "its clock is 2 min behind"),
    ],
)
def test_a_worker_shows_how_its_clock_goes(viewer, skew: timedelta | None, words: str):
    a_worker(clock_skew=skew)

    response = page(viewer, "queue_workers")

    (row,) = response.context["rows"]
    assert (row.clock, row.is_clock_wrong) == (words, "ahead" in words or "behind" in words)
    assert words in read(response)


def test_a_worker_shows_its_jobs_and_its_memory_against_the_limit(viewer):
    worker_id = a_worker(memory_bytes=450 * 1024**2)
    job_id = defer("sample.remember", {"number": 1})
    overview.set_job(job_id, status="doing", worker_id=worker_id)

    (row,) = page(viewer, "queue_workers").context["rows"]

    assert [job.id for job, _url in row.jobs] == [job_id]
    assert (row.memory, row.is_memory_short) == ("450 MB of 512 MB (88 %)", True)


def test_orphaned_jobs_are_listed_and_rescued_by_those_who_may(viewer, operator):
    job_id = defer("sample.remember", {"number": 1})
    overview.set_job(job_id, status="doing", worker_id=a_worker(silent=MINUTE))

    of_operator = page(operator, "queue_workers").context
    of_viewer = page(viewer, "queue_workers").context

    assert [job.id for job, _url in of_viewer["orphaned"]] == [job_id]
    assert f"action=rescue&job={job_id}" in of_operator["rescue_url"]
    assert of_viewer["rescue_url"] == ""


def test_without_workers_the_page_says_how_to_start_one(viewer):
    assert "manage.py procrastinate worker" in read(page(viewer, "queue_workers"))


# --- Schedule ---------------------------------------------------------------------------------------------


def schedule_row(client: Client, name: str = "bookings.tasks.mark_expired_bookings") -> Any:
    return next(row for row in page(client, "queue_schedule").context["rows"] if row.item.name == name)


def test_a_schedule_is_told_in_words_with_its_last_run_and_the_latest_ones(operator, now):
    name, last = "bookings.tasks.mark_expired_bookings", now - timedelta(hours=2)
    job_id = defer(name, {})
    overview.set_job(job_id, status="doing")
    overview.set_job(job_id, status="succeeded")
    an_attempt(finished_at=last, job_id=job_id or 0, task_name=name, result="bookings_expired=3")
    an_attempt(finished_at=last - timedelta(hours=1), task_name=name, outcome=Outcome.FAILED)
    ScheduleState.objects.create(
        name=name,
        last_tick_at=last,
        last_deferred_tick_at=last,
        last_deferred_at=last + timedelta(seconds=2),
        last_job_id=job_id,
        missed_count=2,
    )
    sum_up(now)

    row = schedule_row(operator)

    assert row.words == "Every day at 03:00, Mexico City time"
    assert (row.last_words, row.last_result) == ("Succeeded (1 s)", "bookings_expired=3")
    assert row.item.lateness == timedelta(seconds=2)
    assert row.runs_words == "2 runs, 1 failed"
    assert set(row.actions) == {"run_schedule", "disable_schedule"}


def test_a_disabled_schedule_says_by_whom_and_is_enabled_again(operator, viewer):
    ScheduleState.objects.create(
        name="bookings.tasks.mark_expired_bookings",
        disabled_at=timezone.now(),
        disabled_by="rosa",
        disable_reason="moving house",
    )

    row = schedule_row(operator)

    assert row.state == "Disabled"
    assert "moving house" in read(page(operator, "queue_schedule"))
    assert set(row.actions) == {"run_schedule", "enable_schedule"}
    assert schedule_row(viewer).actions == {}


# --- System -----------------------------------------------------------------------------------------------


@override_settings(PROCRASTINATE_TASKS_MONITORING_TOKEN="s3cret", PROCRASTINATE_TASKS_RETENTION_BATCH=77)
def test_settings_are_shown_but_no_secret(viewer):
    text = read(page(viewer, "queue_system"))

    assert "PROCRASTINATE_TASKS_RETENTION_BATCH 77 the project" in text
    assert "PROCRASTINATE_TASKS_MONITORING_TOKEN set, not shown" in text
    assert "s3cret" not in text


def test_versions_migrations_and_clocks_are_told(viewer):
    text = read(page(viewer, "queue_system"))

    assert re.search(r"Procrastinate \d+\.\d+", text)
    assert "All are applied." in text
    assert "clock" in text


# --- All of them ------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("busy")
@pytest.mark.parametrize("name", [*PAGES, "queue_state_json"])
def test_a_page_takes_few_queries_and_no_more_with_more_to_show(name, now):
    client = Client()
    client.force_login(User.objects.create_superuser("rosa"))
    client.get(reverse(f"admin:{name}"))

    with CaptureQueriesContext(connection) as with_little:
        page(client, name)
    for number in range(6):
        a_worker(silent=number * 10 * timedelta(seconds=1))
        a_failure(finished_at=now, fingerprint=f"g{number}", task_name=f"sample.{number}")
    sum_up(now + 6 * MINUTE)
    with CaptureQueriesContext(connection) as with_more:
        page(client, name)

    assert len(with_more) <= len(with_little)
    assert len(with_little) <= MOST_QUERIES


@pytest.mark.parametrize("name", [*PAGES, "queue_state_json"])
def test_without_the_permission_a_page_is_refused(name):
    assert staff().get(reverse(f"admin:{name}")).status_code == 403
    unknown = 401 if name == "queue_state_json" else 302
    assert Client().get(reverse(f"admin:{name}")).status_code == unknown


@pytest.mark.usefixtures("busy")
@pytest.mark.parametrize("name", PAGES)
def test_a_reader_is_offered_no_action(name, viewer):
    assert "confirm" not in page(viewer, name).content.decode()


@pytest.mark.usefixtures("busy")
@pytest.mark.parametrize("name", PAGES)
def test_a_page_obeys_the_strict_policy_of_contents(name, operator):
    body = page(operator, name).content.decode()

    assert " style=" not in body
    assert "<style" not in body
    assert " onclick" not in body
    assert re.findall(r"<script(?![^>]* src=)[^>]*>", body) == []


@pytest.mark.usefixtures("busy")
@pytest.mark.parametrize("name", PAGES)
def test_no_english_word_is_on_a_spanish_page(name, operator, now):
    pauses.pause_queue(queue="sample", by="rosa")
    control.limit_queue(queue="sample", concurrency=3)
    operator.cookies["django_language"] = "es-mx"
    response = operator.get(reverse(f"admin:{name}"))

    # Codes, names and what the code itself said are no words of ours.
    response.content = _NO_WORDS.sub(b"", response.content)
    text = re.sub(r"\S*[._]\S*", " ", read(response)).replace("worker=1", "")
    assert english_words(text) == set()


@pytest.mark.usefixtures("busy")
@pytest.mark.parametrize("name", PAGES)
def test_the_part_that_refreshes_itself_holds_no_token_of_a_form(name, operator):
    response = operator.get(reverse(f"admin:{name}"), headers={"X-Live-Region": "1"})

    assert response.status_code == 200
    assert b"csrfmiddlewaretoken" not in response.content
    assert b"<html" not in response.content
