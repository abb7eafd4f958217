"""The list of jobs: its tabs, filters, search and pages, at a cost that finished jobs do not raise."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from procrastinate_tasks.formatting import Amount
from procrastinate_tasks.jobs.calls import Call
from procrastinate_tasks.jobs.deferring import defer, defer_many
from procrastinate_tasks.jobs.descriptions import (
    JobArgs,
    JobDescription,
    JobSearch,
    Kind,
    Related,
    RetrySafety,
    add_search,
    describe_task,
)
from procrastinate_tasks.models import Job
from procrastinate_tasks.queries import jobs as queries
from procrastinate_tasks.queues import pauses
from procrastinate_tasks.viewer.rendering import QueryTookTooLong, statement_timeout
from tests.integration.procrastinate_tasks.claiming import execute
from tests.integration.procrastinate_tasks.job_states import (
    TASK,
    make_job,
    make_orphaned,
    make_running,
    make_scheduled,
)
from tests.integration.procrastinate_tasks.viewer.office import (
    OPERATOR,
    address,
    listed_ids,
    safe_to_repeat,
    staff_client,
)

pytestmark = pytest.mark.django_db


def defer_locked(lock: str) -> int:
    job_id = make_job()
    execute("UPDATE procrastinate_jobs SET lock = %s WHERE id = %s", lock, job_id)
    return job_id


def one_of_each() -> dict[str, int]:
    blocked_by = make_running()
    execute("UPDATE procrastinate_jobs SET lock = 'home:1' WHERE id = %s", blocked_by)
    jobs = {
        "running": blocked_by,
        "blocked": defer_locked("home:1"),
        "ready": make_job(),
        "scheduled": make_scheduled(),
        "retrying": make_scheduled(attempts=1),
        "orphaned": make_orphaned(),
        "failed": make_job(status="failed"),
        "succeeded": make_job(status="succeeded"),
        "cancelled": make_job(status="cancelled"),
    }
    paused = defer("sample.locked")
    execute("UPDATE procrastinate_jobs SET queue_name = 'held' WHERE id = %s", paused)
    pauses.pause_queue(queue="held", by="ana")
    return {**jobs, "paused": paused or 0}


def tab_counts(client: Client, **query: Any) -> dict[str, str]:
    tabs = client.get(address("queue_jobs"), query).context["tabs"]
    return {tab.url.partition("tab=")[2].partition("&")[0]: tab.count for tab in tabs}


# --- Tabs and states --------------------------------------------------------------------------------------


def test_each_state_has_its_tab_and_its_count(viewer: Client):
    jobs = one_of_each()

    found = {tab: listed_ids(viewer, tab=tab) for tab in jobs}

    assert found == {tab: [job_id] for tab, job_id in jobs.items()}
    counts = tab_counts(viewer)
    assert {tab: counts[tab] for tab in jobs} == dict.fromkeys(jobs, "1")
    assert counts["attention"] == "2"
    assert set(listed_ids(viewer, tab="attention")) == {jobs["failed"], jobs["orphaned"]}
    assert listed_ids(viewer, tab="nonsense") == sorted(jobs.values(), reverse=True)


def test_each_row_tells_its_own_state(viewer: Client):
    jobs = one_of_each()

    rows = viewer.get(address("queue_jobs")).context["rows"]

    assert {shown.row.id: shown.row.state.value for shown in rows} == {
        job_id: state for state, job_id in jobs.items()
    }


def test_of_jobs_with_one_lock_the_first_is_ready_and_the_next_is_blocked(viewer: Client):
    first, second = defer_locked("home:2"), defer_locked("home:2")

    assert listed_ids(viewer, tab="ready") == [first]
    assert listed_ids(viewer, tab="blocked") == [second]


def test_counting_stops_at_the_cap_and_says_so(viewer: Client, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(queries, "MOST_COUNTED", 60)
    defer_many("sample.remember", (Call({"number": n}) for n in range(61)))

    assert tab_counts(viewer)["ready"] == "60+"


# --- Filters ----------------------------------------------------------------------------------------------


def test_jobs_are_filtered_by_task_queue_lock_and_attempts(viewer: Client):
    plain = make_job()
    locked = defer_locked("home:3")
    other = defer("sample.locked")
    execute("UPDATE procrastinate_jobs SET attempts = 3, queue_name = 'far' WHERE id = %s", other)

    assert listed_ids(viewer, task="sample.locked") == [other]
    assert listed_ids(viewer, queue="far") == [other]
    assert listed_ids(viewer, queue="sample") == [locked, plain]
    assert listed_ids(viewer, lock="home:3") == [locked]
    assert listed_ids(viewer, lock="sample-lock") == [other]
    assert listed_ids(viewer, lock="home") == []
    assert listed_ids(viewer, attempts="3") == [other]


def test_jobs_are_filtered_by_when_they_were_deferred(viewer: Client):
    old, recent = make_job(), make_job()
    execute("UPDATE procrastinate_events SET at = now() - interval '3 days' WHERE job_id = %s", old)
    today = timezone.localdate()

    assert listed_ids(viewer, period="24h") == [recent]
    assert listed_ids(viewer, period="7d") == [recent, old]
    assert listed_ids(viewer, since=str(today - timedelta(days=1))) == [recent]
    assert listed_ids(viewer, until=str(today - timedelta(days=2))) == [old]


def test_the_first_job_since_a_moment_is_found_whatever_was_pruned(viewer: Client):
    jobs = [make_job() for _ in range(40)]
    for age, job_id in enumerate(reversed(jobs)):
        execute(
            "UPDATE procrastinate_events SET at = now() - %s * interval '1 min' WHERE job_id = %s",
            age,
            job_id,
        )
    for job_id in jobs[5:25:2]:
        execute("DELETE FROM procrastinate_jobs WHERE id = %s", job_id)

    found = queries.job_id_at(timezone.now() - timedelta(minutes=9.5))

    assert [job.id for job in Job.objects.filter(id__gte=found).order_by("id")] == jobs[30:]


@pytest.mark.parametrize("label", ["balance $3,735.20 MXN", "RE-1"])
def test_an_amount_is_shown_once(viewer: Client, label: str):
    def describe(calls: Sequence[JobArgs]) -> Mapping[int, JobDescription]:
        description = JobDescription(
            sentence="Charge the balance",
            related=(Related(label=label, url="/payments/1/", key="payment:1"),),
            amount=Amount(minor=373520, currency="mxn"),
            retry_safety=RetrySafety.SAFE,
            retry_reason="It charges nothing twice.",
        )
        return dict.fromkeys((call.id for call in calls), description)

    describe_task(TASK, safe_to_repeat(describe=describe))
    make_job()

    assert viewer.get(address("queue_jobs")).content.decode().count("3,735.20") == 1


def test_jobs_are_filtered_by_what_they_are_about(viewer: Client):
    describe_task(TASK, safe_to_repeat(kind=Kind.MONEY, related_argument="number"))
    about_one = make_job()
    other = defer("sample.remember", {"number": 2})
    mail = defer("sample.locked")

    assert listed_ids(viewer, kind="money") == [other, about_one]
    assert listed_ids(viewer, kind="mail") == []
    assert listed_ids(viewer, about="number:1") == [about_one]
    assert listed_ids(viewer, about="email:1") == [mail, other, about_one]


@pytest.mark.parametrize("query", [{"since": "2026-13-40"}, {"until": "soon"}, {"attempts": "many"}])
def test_what_makes_no_sense_is_told_and_left_out(viewer: Client, query: dict[str, str]):
    job_id = make_job()

    response = viewer.get(address("queue_jobs"), query)

    assert [shown.row.id for shown in response.context["rows"]] == [job_id]
    assert len(response.context["problems"]) == 1


@pytest.mark.parametrize(
    "query", [{"q": "9" * 40}, {"before": "9" * 40}, {"attempts": "9" * 40}, {"q": "\x00"}]
)
def test_no_address_ends_in_an_error(viewer: Client, query: dict[str, str]):
    make_job()

    assert viewer.get(address("queue_jobs"), query).status_code == 200


# --- Search -----------------------------------------------------------------------------------------------


def test_a_job_is_found_by_its_number_its_lock_or_part_of_its_task(viewer: Client):
    first = defer("sample.remember", {"number": 1}, queueing_lock="charge:1")
    second = defer("sample.remember", {"number": 2})

    assert listed_ids(viewer, q=str(second)) == [second]
    assert listed_ids(viewer, q="charge:1") == [first]
    assert listed_ids(viewer, q="charge:") == []
    assert listed_ids(viewer, q="REMEMBER") == [second, first]


def test_the_project_says_what_a_search_means(viewer: Client):
    jobs = [defer("sample.remember", {"number": number}) for number in range(4)]
    add_search(
        lambda term: (
            JobSearch(label="Booking RE-1", arguments={"number": ["1", "2"]}, job_ids=(jobs[0] or 0,))
            if term == "RE-1"
            else None
        )
    )

    response = viewer.get(address("queue_jobs"), {"q": "RE-1"})

    assert [shown.row.id for shown in response.context["rows"]] == [jobs[2], jobs[1], jobs[0]]
    assert "Booking RE-1" in response.content.decode()


# --- Pages ------------------------------------------------------------------------------------------------


def test_pages_follow_each_other_without_gap_or_repetition(viewer: Client):
    defer_many("sample.remember", (Call({"number": n}) for n in range(120)))
    everything = list(Job.objects.order_by("-id").values_list("id", flat=True))
    response = viewer.get(address("queue_jobs"))
    seen = [shown.row.id for shown in response.context["rows"]]
    newest = list(seen)

    while response.context["older_url"]:
        response = viewer.get(address("queue_jobs") + response.context["older_url"])
        seen += [shown.row.id for shown in response.context["rows"]]
    while response.context["newer_url"]:
        response = viewer.get(address("queue_jobs") + response.context["newer_url"])

    assert seen == everything
    assert [shown.row.id for shown in response.context["rows"]] == newest


def test_a_search_that_stops_looking_says_so_and_goes_on_when_asked(
    viewer: Client, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(queries, "WINDOW", 3)
    wanted = defer_locked("home:9")
    for _ in range(5):
        make_job()
    response = viewer.get(address("queue_jobs"), {"lock": "home:9"})
    assert response.context["rows"] == ()
    assert response.context["stopped_looking"]

    response = viewer.get(address("queue_jobs") + response.context["older_url"])

    assert [shown.row.id for shown in response.context["rows"]] == [wanted]


def test_filters_stay_in_the_links_of_tabs_and_pages(viewer: Client):
    defer_many("sample.remember", (Call({"number": n}) for n in range(60)))

    context = viewer.get(address("queue_jobs"), {"queue": "sample", "tab": "ready"}).context

    assert "queue=sample" in context["older_url"]
    assert "tab=ready" in context["older_url"]
    assert all("queue=sample" in tab.url for tab in context["tabs"])


# --- Cost -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "query", [{}, {"tab": "failed"}, {"q": "sample"}, {"period": "24h", "queue": "sample"}]
)
def test_the_list_takes_few_queries_and_reads_no_distinct_values(query: dict[str, str]):
    describe_task(TASK, safe_to_repeat())
    client = staff_client(*OPERATOR)
    for _ in range(60):
        make_job(status="failed")

    with CaptureQueriesContext(connection) as taken:
        response = client.get(address("queue_jobs"), query)

    assert len(response.context["rows"]) == 50
    assert sum("SAVEPOINT" not in query["sql"] for query in taken) <= 10
    assert not any("DISTINCT" in query["sql"] or "OFFSET" in query["sql"] for query in taken)


def test_the_list_is_small(operator: Client):
    for _ in range(60):
        make_job(status="failed")

    html = operator.get(address("queue_jobs")).content

    assert len(html) < 150_000
    assert html.count(b"<") / 2 < 2_000


def test_a_query_that_takes_too_long_leaves_the_filter_and_says_so(
    viewer: Client, monkeypatch: pytest.MonkeyPatch
):
    def never_answer(*arguments: object, **options: object) -> None:
        with connection.cursor() as cursor:
            cursor.execute("SET LOCAL statement_timeout = 10")
            cursor.execute("SELECT pg_sleep(5)")

    monkeypatch.setattr("procrastinate_tasks.viewer.pages.jobs.ask_together", never_answer)

    response = viewer.get(address("queue_jobs"), {"queue": "sample"})

    assert response.status_code == 200
    assert "did not answer within 3 seconds" in response.content.decode()
    assert response.context["chosen"].queue == "sample"


def test_patience_ends_with_the_page():
    with pytest.raises(QueryTookTooLong), statement_timeout(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL statement_timeout = 10")
        cursor.execute("SELECT pg_sleep(5)")

    with connection.cursor() as cursor:
        cursor.execute("SHOW statement_timeout")
        assert cursor.fetchone() == ("0",)


# --- What is shown ----------------------------------------------------------------------------------------


def test_no_argument_is_in_the_list(operator: Client):
    defer("sample.flaky", {"email": "ana@example.com"})

    assert "ana@example.com" not in operator.get(address("queue_jobs")).content.decode()


def test_a_presentation_that_fails_breaks_no_list(viewer: Client, caplog: pytest.LogCaptureFixture):
    describe_task(TASK, safe_to_repeat(describe=lambda calls: 1 / 0))
    job_id = make_job()

    assert listed_ids(viewer) == [job_id]
    assert "Remember a number" in viewer.get(address("queue_jobs")).content.decode()


def test_an_empty_list_says_what_is_true_and_what_to_do(viewer: Client):
    make_job()

    failed = viewer.get(address("queue_jobs"), {"tab": "failed"}).content.decode()
    unmatched = viewer.get(address("queue_jobs"), {"queue": "nowhere"}).content.decode()

    assert "No failed job is kept." in failed
    assert "No job matches." in unmatched
    assert "Remove filters" in unmatched


def test_impossible_actions_are_shown_with_their_reason(operator: Client):
    make_running()

    html = operator.get(address("queue_jobs")).content.decode()

    assert re.search(r"<b>Retry</b> It is running, and its worker is alive.", html)


def test_who_may_only_look_sees_no_action(viewer: Client):
    make_job(status="failed")

    html = viewer.get(address("queue_jobs")).content.decode()

    assert 'name="do"' not in html
    assert 'type="checkbox"' not in html
    assert "With the chosen jobs" not in html
