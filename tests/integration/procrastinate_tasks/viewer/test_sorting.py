"""The job list sorted by its columns: in both directions, page by page, and kept on the way."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import translation

from procrastinate_tasks.queries import jobs
from procrastinate_tasks.queries.jobs import JobQuery, list_in_order
from procrastinate_tasks.queries.ordering import SORTS, Sort
from procrastinate_tasks.queries.tabs import Tab
from tests.integration.pages import read
from tests.integration.procrastinate_tasks.claiming import execute
from tests.integration.procrastinate_tasks.job_states import TASK, make_job
from tests.integration.procrastinate_tasks.viewer.office import OPERATOR, address, staff_client

pytestmark = pytest.mark.django_db

SECOND, HOUR = timedelta(seconds=1), timedelta(hours=1)
AT = datetime(2026, 11, 2, tzinfo=UTC)
FAILED_SORTS = [sort for pair in SORTS[Tab.FAILED].values() for sort in pair]
EVERY_SORT = [(tab, sort) for tab in Tab for pair in SORTS[tab].values() for sort in pair]


@pytest.fixture
def staff() -> Client:
    return staff_client(*OPERATOR)


def failed(*, ended: float = 0, ran: float = 1, attempts: int = 1) -> int:
    """Return a job that failed so many seconds after all began, having run for so long."""
    job_id = make_job()
    execute("UPDATE procrastinate_jobs SET status = 'failed', attempts = %s WHERE id = %s", attempts, job_id)
    execute("DELETE FROM procrastinate_events WHERE job_id = %s", job_id)
    end, start = AT + ended * SECOND, AT + (ended - ran) * SECOND
    for kind, at in (("deferred", AT - HOUR), ("started", start), ("failed", end)):
        execute("INSERT INTO procrastinate_events (job_id, type, at) VALUES (%s, %s, %s)", job_id, kind, at)
    return job_id


def pages(client: Client, **query: str) -> list[list[int]]:
    """Return the ids of each page, as one is led from page to page."""
    found: list[list[int]] = []
    url = ""
    while not found or url:
        context = client.get(address("queue_jobs") + url, {} if url else query).context
        found.append([shown.row.id for shown in context["rows"]])
        url = context["older_url"]
        assert len(found) < 20
    return found


@pytest.mark.parametrize(
    ("down", "up", "facts"),
    [
        ("newest", "oldest", [{}, {}, {}]),
        ("ended", "ended-first", [{"ended": 3}, {"ended": 90}, {"ended": 5}]),
        ("most-attempts", "fewest-attempts", [{"attempts": 4}, {"attempts": 2}, {"attempts": 11}]),
        ("longest", "shortest", [{"ran": 0.25}, {"ran": 100}, {"ran": 99.5}]),
    ],
)
def test_what_ended_is_sorted_both_ways(staff: Client, down: str, up: str, facts: list[dict[str, float]]):
    made = [failed(**fact) for fact in facts]  # type: ignore[arg-type]
    keys = [next(iter(fact.values()), number) for number, fact in enumerate(facts)]
    growing = [job_id for _key, job_id in sorted(zip(keys, made, strict=True))]

    assert pages(staff, tab="failed", sort=up) == [growing]
    assert pages(staff, tab="failed", sort=down) == [growing[::-1]]


def test_a_job_that_ended_twice_stands_at_its_last_end_alone(staff: Client):
    twice, once = failed(ended=1), failed(ended=50)
    execute("INSERT INTO procrastinate_events (job_id, type, at) VALUES (%s, 'failed', '2026-11-03')", twice)

    assert pages(staff, tab="failed", sort="ended") == [[twice, once]]
    assert pages(staff, tab="failed", sort="ended-first") == [[once, twice]]


@pytest.mark.parametrize("sort", ["longest", "shortest"])
def test_what_runs_is_sorted_by_how_long_it_has(staff: Client, sort: str):
    made = [make_job(status="doing") for _ in range(3)]
    for job_id, minutes in zip(made, (5, 90, 30), strict=True):
        execute(
            "UPDATE procrastinate_events SET at = now() - %s * interval '1 minute'"
            " WHERE job_id = %s AND type = 'started'",
            minutes,
            job_id,
        )
    longest = [made[1], made[2], made[0]]

    assert pages(staff, tab="orphaned", sort=sort) == [longest if sort == "longest" else longest[::-1]]


def test_scheduled_and_ready_jobs_have_their_opposites(staff: Client):
    ready = [make_job() for _ in range(3)]
    execute("UPDATE procrastinate_jobs SET priority = 5 WHERE id = %s", ready[1])
    late = [make_job() for _ in range(3)]
    for job_id, minutes in zip(late, (9, 3, 6), strict=True):
        execute(
            "UPDATE procrastinate_jobs SET scheduled_at = now() + %s * interval '1 minute' WHERE id = %s",
            minutes,
            job_id,
        )

    assert pages(staff, tab="ready", sort="place-last") == [[ready[2], ready[0], ready[1]]]
    assert pages(staff, tab="scheduled", sort="due-last") == [[late[0], late[2], late[1]]]


@pytest.mark.parametrize("sort", FAILED_SORTS)
@pytest.mark.parametrize("are_alike", [True, False])
def test_each_job_is_on_one_page_also_where_all_are_alike(
    staff: Client, monkeypatch: pytest.MonkeyPatch, sort: Sort, are_alike: bool
):
    monkeypatch.setattr(jobs, "ROWS_PER_PAGE", 4)
    kinds = [0] * 11 if are_alike else [0, 0, 0, 1, 1, 1, 1, 1, 1, 2, 2]
    made = [failed(ended=kind, ran=1 + kind, attempts=kind) for kind in kinds]

    found = pages(staff, tab="failed", sort=sort)

    assert [len(page) for page in found] == [4, 4, 3]
    assert sorted(job_id for page in found for job_id in page) == made


def test_an_order_without_an_index_says_of_how_many_it_is(staff: Client, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(jobs, "SORTED_WITHIN", 2)
    oldest, second, newest = failed(attempts=9), failed(attempts=3), failed(attempts=5)

    response = staff.get(address("queue_jobs"), {"tab": "failed", "sort": "most-attempts"})

    assert [shown.row.id for shown in response.context["rows"]] == [newest, second]
    assert "of the newest" in read(response)
    execute("DELETE FROM procrastinate_jobs WHERE id = %s", oldest)
    assert "of the newest" not in read(staff.get(address("queue_jobs"), {"tab": "failed", "sort": "longest"}))


def test_a_search_among_ends_stops_and_goes_on(staff: Client, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(jobs, "SORTED_WITHIN", 2)
    wanted = failed(ended=1)
    for number in range(4):
        failed(ended=10 + number)
    execute("UPDATE procrastinate_jobs SET queue_name = 'rare' WHERE id = %s", wanted)

    found = pages(staff, tab="failed", sort="ended", queue="rare")

    assert found == [[], [], [wanted]]


@pytest.mark.parametrize(
    "key",
    [
        "x",
        "~",
        "x~1",
        "infinity~1",
        "2026-13-45~3",
        "2026-W48-7~3",
        "2026-11-29T10:00:00+23:59~3",
        "0001-01-01T00:00:00+05:00~3",
        "9" * 40,
        "-5~7",
        "-~7",
        f"{'9' * 18}~{'9' * 18}",
        "5~" + "9" * 30,
        "½~½",
        "1~1\x00",
    ],
)
def test_a_page_that_is_none_is_the_first_or_empty(key: str):
    job_id = failed()

    for tab, sort in EVERY_SORT:
        rows = list_in_order(JobQuery(tab=tab, sort=sort), key=key).rows
        assert {row.id for row in rows} <= {job_id}


@pytest.mark.parametrize("sort", ["nonsense", "due; DROP TABLE", "place", "-id", "\x00", "9" * 400, "<b>"])
def test_an_order_that_a_tab_does_not_have_is_its_usual_one(staff: Client, sort: str):
    older, newer = failed(), failed()

    assert pages(staff, tab="failed", sort=sort) == [[newer, older]]


def test_a_heading_tells_its_order_and_leads_to_the_opposite(staff: Client):
    failed()

    text = staff.get(address("queue_jobs"), {"tab": "failed", "sort": "ended"}).content.decode()

    assert text.count("aria-sort=") == 1
    assert (
        '<th scope="col" aria-sort="descending"><a class="jv-sort" href="?tab=failed&amp;sort=ended-first">'
        in text
    )
    assert '<caption class="visually-hidden">Jobs, the last to end first</caption>' in text
    assert 'href="?tab=failed&amp;sort=longest">' in text


def test_the_order_is_kept_by_the_filter_and_by_the_tabs_that_have_it(staff: Client):
    failed()

    response = staff.get(address("queue_jobs"), {"tab": "failed", "sort": "ended"})

    assert '<input type="hidden" name="sort" value="ended">' in response.content.decode()
    urls = {link.label: link.url for link in response.context["tabs"]}
    assert urls["Succeeded"] == "?tab=succeeded&sort=ended"
    assert urls["Scheduled"] == "?tab=scheduled"


def test_the_command_sorts_alike(capsys: pytest.CaptureFixture[str]):
    quick, slow = failed(ran=1), failed(ran=50)

    call_command("jobs", "list", "--state", "failed", "--sort", "shortest", "--json")

    assert [json.loads(line)["id"] for line in capsys.readouterr().out.splitlines()] == [quick, slow]


def test_the_command_refuses_an_order_that_its_jobs_do_not_have():
    text = "cannot be sorted by due: choose newest, oldest, ended"

    with translation.override("en"), pytest.raises(CommandError, match=text):
        call_command("jobs", "list", "--state", "failed", "--sort", "due")


def test_the_command_says_of_how_many_an_order_is(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(jobs, "SORTED_WITHIN", 1)
    failed()
    failed()

    with translation.override("en"):
        call_command("jobs", "list", "--state", "failed", "--sort", "longest")

    assert "that match were put in this order" in capsys.readouterr().out


def test_the_order_by_end_is_read_from_an_index():
    execute(
        "INSERT INTO procrastinate_jobs (queue_name, task_name)"
        " SELECT 'sample', %s FROM generate_series(1, 4000)",
        TASK,
    )
    execute("UPDATE procrastinate_jobs SET status = 'failed'")
    execute("ANALYZE procrastinate_events, procrastinate_jobs")

    with CaptureQueriesContext(connection) as queries:
        list_in_order(JobQuery(tab=Tab.FAILED, sort=Sort.ENDED))

    with connection.cursor() as cursor:
        cursor.execute("EXPLAIN " + queries.captured_queries[0]["sql"])
        plan = "\n".join(row[0] for row in cursor.fetchall())
    assert re.search("Index Scan Backward using ptasks_events_end", plan), plan
