"""What two releases on one database know of each other, and what a release asks before its workers start."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.test import override_settings
from django.utils import timezone, translation
from procrastinate.contrib.django import app

from procrastinate_tasks import database
from procrastinate_tasks.database import database_now
from procrastinate_tasks.exceptions import JobDoesNotFit
from procrastinate_tasks.jobs.calls import Call
from procrastinate_tasks.jobs.completion import Completion
from procrastinate_tasks.jobs.deferring import defer, defer_many
from procrastinate_tasks.queries.system import list_unknown_tasks
from procrastinate_tasks.queues.diagnosis import why_not_running
from procrastinate_tasks.verification.waiting_jobs import announce_release
from procrastinate_tasks.worker.child.misfits import misfit_or, put_back_if_known_elsewhere
from procrastinate_tasks.worker.registration import _FORGET_WORKERS
from tests.integration.procrastinate_tasks import sample_django_tasks
from tests.integration.procrastinate_tasks.claiming import claim, execute, look_ahead, register_worker
from tests.integration.procrastinate_tasks.monitoring.faults import look, settings_at_once

pytestmark = pytest.mark.django_db

TASK = "sample.remember"


def waiting_job(*, minutes: float = 0.0) -> int:
    scheduled_at = timezone.now() - timedelta(minutes=minutes) if minutes else None
    job_id = defer(TASK, {"number": 1}, schedule_at=scheduled_at)
    assert job_id is not None
    return job_id


# --- Claims -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("is_due", [False, True])
def test_a_claim_takes_the_tasks_that_its_worker_knows(is_due: bool):
    scheduled_at = timezone.now() - timedelta(hours=1) if is_due else None
    unknown = defer("sample.locked", schedule_at=scheduled_at)
    known = defer(TASK, {"number": 1}, schedule_at=scheduled_at)

    assert claim(tasks=[TASK]) == [known]
    assert claim(tasks=["sample.locked"]) == [unknown]


def test_a_thousand_due_jobs_of_an_unknown_task_hide_no_other():
    an_hour_ago = timezone.now() - timedelta(hours=1)
    defer_many(TASK, (Call({"number": n}, schedule_at=an_hour_ago) for n in range(1001)))
    last = defer("sample.locked", schedule_at=an_hour_ago + timedelta(minutes=1))

    assert claim(tasks=["sample.locked"]) == [last]


def test_a_worker_does_not_wait_for_a_job_that_is_none_of_its_own():
    execute(
        "INSERT INTO procrastinate_jobs (queue_name, task_name, priority, args)"
        " VALUES ('sample', 'other.task', 0, '{}')"
    )

    assert look_ahead() == (None, False)


def test_a_job_of_an_unknown_task_still_holds_its_lock_in_its_turn():
    execute(
        "INSERT INTO procrastinate_jobs (queue_name, task_name, priority, args, lock)"
        " VALUES ('sample', 'other.task', 0, '{}', 'L'), ('sample', 'sample.locked', 0, '{}', 'L')"
    )

    assert claim(tasks=["sample.locked"]) == []
    assert len(claim(tasks=["other.task"])) == 1


# --- What is told -----------------------------------------------------------------------------------------


def test_the_reason_names_the_release_that_knew_the_task():
    register_worker(release="r1", tasks=[TASK])
    execute("DELETE FROM procrastinate_workers")
    register_worker(release="r2", tasks=["sample.other"])

    with translation.override("en"):
        sentence = why_not_running(waiting_job()).sentence

    assert f"knows task {TASK}, last known by release r1" in sentence


def test_an_alert_tells_after_ten_minutes():
    register_worker(release="r2", tasks=["sample.other"])
    with settings_at_once():
        waiting_job(minutes=9)
        assert look() == set()
        waiting_job(minutes=11)
        assert look() == {"task_unknown"}
        register_worker(tasks=[TASK])
        assert look() == set()


def test_nothing_is_unknown_while_a_worker_lives_that_does_not_say_what_it_knows():
    register_worker(release="r2", tasks=["sample.other"])
    execute("SELECT procrastinate_register_worker_v1()")
    waiting_job(minutes=11)

    assert list_unknown_tasks() == ()


# --- A job whose arguments do not fit ---------------------------------------------------------------------


def misfit_end(job_id: int) -> Completion:
    return Completion(
        job_id=job_id,
        worker_id=1,
        attempts=0,
        status="failed",
        outcome="failed",
        task_name=TASK,
        queue_name="sample",
        started_at=0.0,
        finished_at=0.0,
        exception_class="procrastinate_tasks.exceptions.JobDoesNotFit",
    )


def announce() -> None:
    with override_settings(PROCRASTINATE_TASKS_RELEASE="next"):
        announce_release()


def worker_that_ended(*, minutes: int) -> None:
    """A worker of another release that was forgotten so long ago; the release was first seen days before."""
    worker_id = register_worker(release="other", tasks=[TASK])
    database.execute(_FORGET_WORKERS, worker_ids=[worker_id])
    execute(
        "UPDATE procrastinate_tasks_release SET first_seen_at = now() - interval '3 days',"
        " last_seen_at = last_seen_at - make_interval(mins => %s) WHERE name = 'other'",
        minutes,
    )


def did_not_fit(job_id: int, *, ago: timedelta) -> None:
    execute(
        "INSERT INTO procrastinate_tasks_jobattempt (job_id, attempt, task_name, queue_name, host, release,"
        " started_at, finished_at, outcome, exception_class, message, traceback, fingerprint)"
        " SELECT %s, 1, '', '', '', '', now(), now() - %s, 'interrupted', %s, '', '', ''",
        job_id,
        ago,
        "procrastinate_tasks.exceptions.JobDoesNotFit",
    )


@pytest.mark.parametrize(
    ("prepare", "fails_after"),
    [
        (lambda: None, timedelta(seconds=30)),
        (lambda: register_worker(release="other", tasks=[TASK]), timedelta(minutes=15)),
        (lambda: register_worker(code="other", tasks=[TASK]), timedelta(minutes=15)),
        (lambda: register_worker(release="other", tasks=["sample.other"]), timedelta(seconds=30)),
        (announce, timedelta(minutes=15)),
        (lambda: worker_that_ended(minutes=14), timedelta(minutes=15)),
        (lambda: worker_that_ended(minutes=16), timedelta(seconds=30)),
    ],
)
def test_it_waits_for_whoever_may_know_better_and_fails_where_nobody_does(
    prepare: Callable[[], Any], fails_after: timedelta
):
    prepare()
    fresh, young, old = (waiting_job() for _ in range(3))
    did_not_fit(young, ago=fails_after - timedelta(seconds=5))
    did_not_fit(old, ago=fails_after + timedelta(seconds=5))

    ends = [put_back_if_known_elsewhere(misfit_end(job_id)) for job_id in (fresh, young, old)]

    assert [end.status for end in ends] == ["todo", "todo", "failed"]
    assert [end.counts_attempt for end in ends] == [False, False, True]
    assert [end.retry_at is None for end in ends] == [False, False, True]


def test_beside_a_living_worker_that_may_know_it_the_pauses_stay_short():
    register_worker(release="other", tasks=[TASK])
    job_id = waiting_job()
    for _ in range(6):
        did_not_fit(job_id, ago=timedelta(minutes=1))

    retry_at = put_back_if_known_elsewhere(misfit_end(job_id)).retry_at

    assert retry_at is not None
    assert retry_at - database_now() < timedelta(seconds=8)


def test_a_type_error_of_the_task_itself_stays_one():
    task = app.tasks[TASK]

    assert isinstance(misfit_or(TypeError("x"), task=task, arguments={"nonsense": 1}), JobDoesNotFit)
    assert type(misfit_or(TypeError("x"), task=task, arguments={"number": 1})) is TypeError


# --- manage.py check_waiting_jobs -------------------------------------------------------------------------


def check(*options: str) -> str:
    out = StringIO()
    call_command("check_waiting_jobs", *options, stdout=out)
    return out.getvalue()


def spoil(job_id: int | None, args: object) -> None:
    execute("UPDATE procrastinate_jobs SET args = %s::jsonb WHERE id = %s", json.dumps(args), job_id)


def test_jobs_that_fit_are_not_listed():
    waiting_job()
    sample_django_tasks.add.enqueue(1, b=2)

    assert check("--strict") == "Todos los trabajos en espera caben en esta versión.\n"


def test_what_no_longer_fits_is_listed_by_task_with_its_number_and_reason_and_without_values():
    for _ in range(2):
        spoil(waiting_job(), {"number": 1, "secret": "4242"})
    spoil(waiting_job(), [1])
    execute(
        "UPDATE procrastinate_jobs SET task_name = 'sample.gone' WHERE id = %s", defer(TASK, {"number": 1})
    )

    listed = json.loads(check("--json"))["misfits"]

    assert [(each["task"], each["jobs"]) for each in listed] == [("sample.gone", 1), (TASK, 2), (TASK, 1)]
    assert "unexpected keyword argument 'secret'" in listed[1]["problem"]
    assert "4242" not in check()
    with pytest.raises(CommandError) as refusal:
        check("--strict")
    assert refusal.value.returncode == 1


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"kwargs": {"b": 2, "c": 3}}, "unexpected keyword argument 'c'"),
        ({"args": [1, 2, 3], "kwargs": {}}, "too many positional arguments"),
        ({"django_task": "gone.module.task"}, "gone.module.task"),
    ],
)
def test_a_django_task_that_no_longer_fits_is_listed(change: dict[str, Any], problem: str):
    result = sample_django_tasks.add.enqueue(1, b=2)
    execute(
        "UPDATE procrastinate_jobs SET args = args || %s::jsonb WHERE id = %s",
        json.dumps(change),
        int(result.id),
    )

    ((misfit),) = json.loads(check("--json"))["misfits"]

    assert problem in misfit["problem"]
