"""``manage.py jobs`` for people and for machines."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.utils import timezone, translation

from procrastinate_tasks.conf import Rate
from procrastinate_tasks.jobs.deferring import defer
from procrastinate_tasks.models import AuditEntry
from procrastinate_tasks.queries.queues import read_status
from procrastinate_tasks.queues.control import is_paused, limit_queue
from procrastinate_tasks.schedule import periodic as periodic_module
from procrastinate_tasks.schedule.periodic import periodic
from procrastinate_tasks.testing import drain_queue
from tests.integration.procrastinate_tasks.sample_tasks import locked

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _one_schedule(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(periodic_module, "_schedules_by_name", {})
    periodic(cron="0 3 * * *")(locked)
    yield


@pytest.fixture(autouse=True)
def _in_english() -> Iterator[None]:
    with translation.override("en"):
        yield


def jobs(*arguments: str) -> str:
    out = StringIO()
    call_command("jobs", *arguments, stdout=out)
    return out.getvalue()


def beat() -> None:
    with connection.cursor() as cursor:
        cursor.execute("INSERT INTO procrastinate_workers DEFAULT VALUES")


def test_tasks_are_listed_with_queue_lock_and_schedule():
    line = next(line for line in jobs("tasks").splitlines() if line.startswith("sample.locked "))

    assert line.split() == ["sample.locked", "sample", "sample-lock", "sample.locked"]


def test_columns_are_aligned():
    heading, *rows = jobs("tasks").splitlines()

    assert {row[heading.index("QUEUE") - 1] for row in rows} == {" "}


def test_the_schedule_is_listed_with_its_next_run_in_local_time():
    heading, row = jobs("schedule").splitlines()

    assert heading.split()[:3] == ["SCHEDULE", "CRON", "ZONE"]
    assert "America/Mexico_City" in row
    assert "03:00:00" in row


def test_json_can_be_parsed():
    (item,) = json.loads(jobs("schedule", "--json"))

    assert (item["name"], item["catch_up"], item["missed_count"]) == ("sample.locked", "last", 0)
    assert {task["name"] for task in json.loads(jobs("tasks", "--json"))} >= {"sample.locked"}


def test_status_tells_depth_workers_and_failures():
    beat()
    defer("sample.remember", {"number": 1})
    defer("sample.remember", {"number": 2}, schedule_at=timezone.now() + timedelta(days=1))
    defer("sample.flaky", {"email": "ana@example.com", "hopeless": True})
    drain_queue()
    defer("sample.remember", {"number": 3})

    status = json.loads(jobs("status", "--json"))

    (queue,) = status["queues"]
    assert (queue["queue"], queue["ready"], queue["scheduled"], queue["running"], queue["orphaned"]) == (
        "sample",
        1,
        1,
        0,
        0,
    )
    assert status["failed_last_day"] == 1
    assert status["workers"][0]["is_alive"] is True
    assert "Failed in the last 24 hours: 1" in jobs("status")


def test_status_exits_with_one_when_jobs_find_no_worker():
    defer("sample.remember", {"number": 1})

    with pytest.raises(CommandError, match="no worker is alive") as refusal:
        jobs("status")

    assert refusal.value.returncode == 1


def test_an_empty_queue_without_a_worker_is_no_fault():
    assert "QUEUE" in jobs("status")


def test_the_oldest_ready_job_is_told():
    defer("sample.remember", {"number": 1}, schedule_at=timezone.now() - timedelta(hours=5))
    defer("sample.remember", {"number": 2})

    (depth,) = read_status().queues

    assert depth.oldest_due_at is not None
    assert timezone.now() - depth.oldest_due_at > timedelta(hours=4)


def test_a_queue_is_paused_and_resumed():
    assert jobs("pause", "sample", "--by", "Ana", "--reason", "bank down") == "Queue 'sample' is paused.\n"
    assert jobs("pause", "sample") == "Queue 'sample' was paused already.\n"
    assert is_paused("sample")

    assert jobs("resume", "sample") == "Queue 'sample' is not paused.\n"
    assert json.loads(jobs("resume", "sample", "--json")) == {
        "queue": "sample",
        "is_paused": False,
        "changed": False,
    }
    assert not is_paused("sample")


@pytest.mark.parametrize("verb", ["pause", "resume"])
def test_an_unknown_queue_exits_with_four_and_a_suggestion(verb: str):
    with pytest.raises(CommandError, match="Did you mean 'sample'") as refusal:
        jobs(verb, "smaple")

    assert refusal.value.returncode == 4


def test_limits_lists_who_paused_and_what_is_limited():
    limit_queue(queue="sample", rate=Rate(20), concurrency=5)
    jobs("pause", "sample", "--by", "Ana", "--reason", "bank down")

    heading, row = jobs("limits").splitlines()
    (rule,) = json.loads(jobs("limits", "--json"))

    assert heading.split()[:2] == ["QUEUE", "PAUSED"]
    assert "Ana, 2" in row
    assert "bank down" in row
    assert "20 per 1 s" in row
    assert row.endswith("staff")
    assert rule["limit"] == {"rate": {"count": 20, "per": 1.0}, "concurrency": 5}
    assert (rule["recent_starts"], rule["running"]) == (0, 0)


def test_why_tells_the_sentence_and_as_json_the_cause():
    job_id = defer("sample.remember", {"number": 1})

    assert "No living worker serves queue sample" in jobs("why", str(job_id))
    assert json.loads(jobs("why", str(job_id), "--json"))["cause"] == "no_worker"


def test_why_exits_with_four_when_there_is_no_such_job():
    with pytest.raises(CommandError, match="There is no job 987654") as refusal:
        jobs("why", "987654")

    assert refusal.value.returncode == 4


def test_a_queue_is_limited_and_the_settings_hold_again():
    assert jobs("limit", "sample", "--rate", "20/60", "--concurrency", "5") == (
        "Queue 'sample': rate 20 per 60 s, running jobs 5.\n"
    )
    assert json.loads(jobs("limit", "sample", "--json"))["after"] == {}


@pytest.mark.parametrize("options", [("--rate", "fast"), ("--rate", "0"), ("--concurrency", "0")])
def test_a_limit_that_is_none_exits_with_one(options: tuple[str, str]):
    with pytest.raises(CommandError) as refusal:
        jobs("limit", "sample", *options)

    assert refusal.value.returncode == 1


def test_a_schedule_is_run_disabled_and_enabled():
    assert "The next regular run stays where it was." in jobs("schedule", "run", "sample.locked")
    assert "disabled" in jobs("schedule", "disable", "sample.locked", "--by", "Ana", "--reason", "no more")
    assert "disabled by Ana" in jobs("schedule")
    assert json.loads(jobs("schedule", "enable", "sample.locked", "--json"))["changed"] is True
    assert json.loads(jobs("schedule", "enable", "sample.locked", "--json"))["changed"] is False


@pytest.mark.parametrize(
    ("arguments", "code"),
    [(("run",), 1), (("run", "sample.lokced"), 4), (("disable", "sample.lokced"), 4)],
)
def test_a_schedule_that_is_none_is_told_by_the_exit_code(arguments: tuple[str, ...], code: int):
    with pytest.raises(CommandError) as refusal:
        jobs("schedule", *arguments)

    assert refusal.value.returncode == code


def test_a_schedule_whose_job_waits_is_not_run_again():
    jobs("schedule", "run", "sample.locked")

    with pytest.raises(CommandError, match="waits already") as refusal:
        jobs("schedule", "run", "sample.locked")

    assert refusal.value.returncode == 6


def test_what_the_command_does_is_written_down_with_who_did_it():
    jobs("pause", "sample", "--by", "Ana", "--reason", "bank down")
    jobs("limit", "sample", "--concurrency", "5", "--by", "Berta")
    jobs("schedule", "run", "sample.locked", "--by", "Carla")

    entries = AuditEntry.objects.order_by("id").values_list("actor", "channel", "action", "target_id")
    assert list(entries) == [
        ("Ana", "cli", "pause", "sample"),
        ("Berta", "cli", "limit", "sample"),
        ("Carla", "cli", "run_schedule", "sample.locked"),
    ]
