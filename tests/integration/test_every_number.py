"""Each number of the viewer that is a link opens a list of so many rows; every outlet tells the same."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from datetime import timedelta
from html import unescape
from io import StringIO
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command
from django.test import Client
from django.urls import resolve, reverse
from django.utils import timezone

from procrastinate_tasks.jobs.deferring import defer
from procrastinate_tasks.models.monitoring import SLOT
from procrastinate_tasks.monitoring.health import check_health
from procrastinate_tasks.monitoring.metrics import collect
from procrastinate_tasks.monitoring.rollup import run_once
from procrastinate_tasks.queues import pauses
from tests.integration.procrastinate_tasks.claiming import execute
from tests.integration.procrastinate_tasks.job_states import (
    TASK,
    make_job,
    make_orphaned,
    make_running,
    make_scheduled,
)
from tests.integration.procrastinate_tasks.overview import a_failure, a_worker

pytestmark = pytest.mark.django_db

PAGES = (
    "queue_dashboard",
    "queue_jobs",
    "queue_alerts",
    "queue_failures",
    "queue_queues",
    "queue_workers",
    "queue_schedule",
    "queue_bulk",
    "queue_audit",
    "queue_system",
)
# How many jobs are in each state, no two alike.
STATES = {
    "ready": 3,
    "blocked": 4,
    "paused": 5,
    "scheduled": 6,
    "to_be_retried": 7,
    "running": 2,
    "orphaned": 8,
}
FAILED_LATELY, FAILED_BEFORE, MENDED = 9, 2, 3
_LINK = re.compile(r'<a\b[^>]*href="([^"]+)"[^>]*>(.*?)</a>', re.DOTALL)
# A number that stands alone or begins the words of a link: 1,234, + 5 blocked, 12 · $3.00.
_NUMBER = re.compile(r"^\+?\s*(\d[\d,]*)(?=$|\s)(?!\s+(?:ms|s|min|h|d)\b)")  # how long is not how many


@pytest.fixture
def owner() -> Client:
    client = Client()
    client.force_login(User.objects.create_superuser("rosa", password="x"))
    client.cookies["django_language"] = "en"
    return client


@pytest.fixture
def seeded() -> None:
    """Make jobs of every state, some failures mended since, on two queues, with a task and a queue paused."""
    for _ in range(2):
        a_worker()
    a_worker(silent=timedelta(hours=1))
    holder = make_running()
    make_running()
    execute("UPDATE procrastinate_jobs SET lock = 'home:1' WHERE id = %s", holder)
    for _ in range(STATES["ready"]):
        make_job()
    for _ in range(STATES["blocked"]):
        execute("UPDATE procrastinate_jobs SET lock = 'home:1' WHERE id = %s", make_job())
    for number in range(STATES["paused"]):
        job_id = make_job()
        execute("UPDATE procrastinate_jobs SET task_name = 'sample.locked' WHERE id = %s", job_id)
        if number:
            execute("UPDATE procrastinate_jobs SET queue_name = 'held' WHERE id = %s", job_id)
    pauses.pause_queue(queue="held", by="Ana")
    pauses.pause_task(task="sample.locked", by="Ana")
    for _ in range(STATES["scheduled"]):
        make_scheduled()
    for _ in range(STATES["to_be_retried"]):
        make_scheduled(attempts=1)
    for _ in range(STATES["orphaned"]):
        make_orphaned()
    _fail()
    for _ in range(4):
        make_job(status="succeeded")
    make_job(status="cancelled")


def _fail() -> None:
    """Failed lately, some of them twice; failed a day before; failed and mended since."""
    now = timezone.now()
    for number in range(FAILED_LATELY):
        job_id = make_job(status="failed")
        for _ in range(1 + number % 2):
            a_failure(finished_at=now, job_id=job_id, fingerprint=f"f{number % 3}")
        execute("INSERT INTO procrastinate_events (job_id, type) VALUES (%s, 'failed')", job_id)
    for _ in range(FAILED_BEFORE):
        job_id = make_job(status="failed")
        execute("UPDATE procrastinate_events SET at = at - interval '30 hours' WHERE job_id = %s", job_id)
    for _ in range(MENDED):
        job_id = make_job(status="failed")
        a_failure(finished_at=now, job_id=job_id, fingerprint="f9")
        execute("UPDATE procrastinate_jobs SET status = 'todo', attempts = 0 WHERE id = %s", job_id)
        execute("UPDATE procrastinate_jobs SET status = 'doing' WHERE id = %s", job_id)
        execute("UPDATE procrastinate_jobs SET status = 'succeeded' WHERE id = %s", job_id)


# --- Counting both sides ----------------------------------------------------------------------------------


def numbers_of(response: Any) -> Iterator[tuple[int, str]]:
    """Yield each number that leads somewhere: of cards and panels, and links that begin with one."""
    for card in response.context.get("cards") or ():
        yield from _numbered(card.value, card.url)
    for panel in response.context.get("panels") or ():
        for figure in panel.content.figures if panel.content else ():
            yield from _numbered(figure.value, figure.url)
    for tab in response.context.get("tabs") or ():
        if tab.count:
            yield from _numbered(tab.count, reverse("admin:queue_jobs") + tab.url)
    for address, inner in _LINK.findall(response.content.decode()):
        words = unescape(re.sub(r"<[^>]+>", " ", inner)).strip()
        if not _names_a_row(address):
            yield from _numbered(words, unescape(address))


def _numbered(words: str, address: str) -> Iterator[tuple[int, str]]:
    found = _NUMBER.match(words)
    if found and address:
        yield int(found[1].replace(",", "")), address


def _names_a_row(address: str) -> bool:
    """Whether a link is a row's own name: a job's number is no count."""
    return bool(re.match(r"/admin/queue/(jobs|bulk)/\d+/", address)) or address.startswith("/admin/r/")


def rows_of(client: Client, address: str) -> int:
    """Count the rows of the list behind an address, on all its pages."""
    response = client.get(address)
    assert response.status_code == 200, address
    name = resolve(address.partition("?")[0]).view_name
    if "cl" in (response.context or {}):
        return int(response.context["cl"].result_count)
    return _ROWS[name](client, response)


def _paged(key: str) -> Callable[[Client, Any], int]:
    def count(client: Client, response: Any) -> int:
        total = len(response.context.get(key) or ())
        while older := response.context.get("older_url"):
            response = client.get(_absolute(response, older))
            total += len(response.context.get(key) or ())
        return total

    return count


def _absolute(response: Any, address: str) -> str:
    path: str = response.wsgi_request.path
    return path + address if address.startswith("?") else address


def _of_faults(client: Client, response: Any) -> int:
    return _paged("jobs" if "group" in response.context else "rows")(client, response)


_ROWS: dict[str, Callable[[Client, Any], int]] = {
    "admin:queue_jobs": _paged("rows"),
    "admin:queue_workers": _paged("rows"),
    "admin:queue_failures": _of_faults,
}


@pytest.mark.usefixtures("seeded")
@pytest.mark.parametrize("page", PAGES)
def test_each_number_of_a_page_opens_as_many_rows(owner: Client, page: str):
    response = owner.get(reverse(f"admin:{page}"))

    numbers = list(dict.fromkeys(numbers_of(response)))
    lies = [(told, rows, url) for told, url in numbers if told != (rows := rows_of(owner, url))]

    assert lies == []
    if page in ("queue_dashboard", "queue_jobs", "queue_failures", "queue_queues"):
        assert len(numbers) >= 5


@pytest.mark.usefixtures("seeded")
@pytest.mark.parametrize(
    "query", [{"queue": "held"}, {"task": TASK}, {"ended": "24h"}, {"fault": "f1"}, {"q": "sample"}], ids=str
)
def test_each_tab_of_a_filtered_list_holds_as_many_jobs(owner: Client, query: dict[str, str]):
    response = owner.get(reverse("admin:queue_jobs"), query)

    numbers = list(numbers_of(response))

    assert [(told, url) for told, url in numbers if told != rows_of(owner, url)] == []
    assert numbers


@pytest.mark.usefixtures("seeded")
def test_each_number_of_a_fault_s_page_opens_as_many_jobs(owner: Client):
    for group, _cells in owner.get(reverse("admin:queue_failures")).context["rows"]:
        key = {"task": group.task_name, "fault": group.fingerprint, "exception": group.exception_class}
        response = owner.get(reverse("admin:queue_failures"), key)
        numbers = [(cell["count"], cell["url"]) for cell in response.context["cells"]]
        numbers.append((response.context["failed"], response.context["failed_url"]))

        assert [(told, url) for told, url in numbers if told != rows_of(owner, url)] == []


@pytest.mark.usefixtures("seeded")
def test_every_outlet_tells_the_same_of_each_state(owner: Client):
    state = owner.get(reverse("admin:queue_state_json")).json()
    out = StringIO()
    try:
        call_command("jobs", "status", "--json", stdout=out)
    except CommandError:
        pytest.fail("a worker is alive")
    status = json.loads(out.getvalue())
    metrics = [
        sample for metric in collect() if metric.name == "procrastinate_jobs" for sample in metric.samples
    ]
    loads = owner.get(reverse("admin:queue_queues")).context["rows"]

    for name, count in STATES.items():
        told = {
            "state.json": state["jobs"][name],
            "its queues": sum(queue[name] for queue in state["queues"]),
            "jobs status": sum(queue[name] for queue in status["queues"]),
            "metrics": sum(int(str(sample.value)) for sample in metrics if sample.labels["state"] == name),
            "page of queues": sum(getattr(row.load, name) for row in loads),
        }
        assert set(told.values()) == {count}, (name, told)
    assert state["jobs"]["failed_last_day"] == status["failed_last_day"] == FAILED_LATELY
    orphaned = next(check for check in check_health().checks if check.name == "orphaned")
    assert str(STATES["orphaned"]) in orphaned.sentence


@pytest.mark.usefixtures("seeded")
def test_the_runs_of_a_task_are_the_same_for_monitoring_as_on_the_dashboard(owner: Client):
    slot_ends = timezone.now() + SLOT
    while run_once(slot_ends).has_more:
        pass
    counted = {
        (sample.labels["task"], sample.labels["outcome"]): sample.value
        for metric in collect()
        if metric.name == "procrastinate_task_runs_total"
        for sample in metric.samples
    }
    timed = {
        sample.labels["task"]: sample.value
        for metric in collect()
        if metric.name == "procrastinate_task_run_seconds"
        for sample in metric.samples
        if sample.suffix == "_count"
    }
    lines = owner.get(reverse("admin:queue_dashboard")).context["tasks"]

    assert counted == {
        (line.name, outcome): count
        for line in lines
        for outcome, count in (
            ("succeeded", line.runs - line.failed - line.retried),
            ("failed", line.failed),
            ("retried", line.retried),
        )
    }
    assert timed == {line.name: line.runs for line in lines}
    assert sum(line.runs for line in lines) > FAILED_LATELY


@pytest.mark.usefixtures("seeded")
def test_a_number_of_the_dashboard_is_that_of_its_state(owner: Client):
    cards = {card.title: card for card in owner.get(reverse("admin:queue_dashboard")).context["cards"]}

    values = {detail.label: detail.value for detail in cards["Ready"].details}
    assert cards["Ready"].value == str(STATES["ready"])
    assert values["blocked by a lock"] == str(STATES["blocked"])
    assert values["paused"] == str(STATES["paused"])
    assert cards["Failed in 24 h"].value == str(FAILED_LATELY)
    assert cards["Failed in 24 h"].details[0].value == str(FAILED_BEFORE)


def test_a_job_deferred_now_is_one_more_everywhere(owner: Client):
    before = owner.get(reverse("admin:queue_state_json")).json()["jobs"]["ready"]

    defer(TASK, {"number": 1})

    assert owner.get(reverse("admin:queue_state_json")).json()["jobs"]["ready"] == before + 1
