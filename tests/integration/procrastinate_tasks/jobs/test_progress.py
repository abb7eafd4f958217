"""What a job says of its progress, as it is stored and shown."""

from __future__ import annotations

import json
from io import StringIO

import pytest
from django.contrib.auth.models import User
from django.core.management import call_command
from django.test import Client
from django.utils import translation
from procrastinate.contrib.django.models import ProcrastinateJob

from procrastinate_tasks.jobs import log_lines, progress
from procrastinate_tasks.jobs.context import Progress
from procrastinate_tasks.jobs.deferring import defer
from procrastinate_tasks.models import JobLog, JobProgress
from procrastinate_tasks.queries.job import progress_in_words
from procrastinate_tasks.testing import drain_queue

pytestmark = pytest.mark.django_db


def shown(job_id: int) -> str:
    with translation.override("en"):
        return progress_in_words(JobProgress.objects.get(job_id=job_id))


def deferred(task: str, **arguments: object) -> int:
    job_id = defer(task, arguments)
    assert job_id is not None
    return job_id


@pytest.mark.parametrize("fails", [False, True])
def test_the_last_word_of_a_job_is_kept_however_it_ends(fails: bool):
    job_id = deferred("sample.count_up", total=1250, fails=fails)
    drain_queue()

    assert shown(job_id) == "1,250 of 1,250 (100 %): row 1250"


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ({"done": 3}, "3"),
        ({"done": 0, "total": 0}, "0 of 0 (0 %)"),
        ({"done": 0.4, "total": 10.0}, "0 of 10 (4 %)"),
        ({"done": 12, "total": 10}, "12 of 10 (120 %)"),
    ],
)
def test_whatever_a_job_counts_is_shown(said: dict[str, float], words: str):
    job_id = deferred("sample.count_up_async", **said)
    drain_queue()

    assert shown(job_id) == words


@pytest.mark.parametrize("attempts", [-7, 2**31 - 1])
def test_attempts_that_somebody_made_up_spoil_no_report_and_no_line(attempts: int):
    jobs = odd, _ = [deferred("sample.count_up_async", done=0) for _ in range(2)]
    ProcrastinateJob.objects.filter(id=odd).update(attempts=attempts)

    progress.store(
        [
            Progress(job_id=job_id, attempt=attempt, done=3.0, total=None, text="")
            for job_id, attempt in zip(jobs, (attempts + 1, 1), strict=True)
        ]
    )
    log_lines.store(
        [
            log_lines.RunLog(job_id, run=1, attempt=attempt, lines=(), left_out=0)
            for job_id, attempt in zip(jobs, (attempts + 1, 1), strict=True)
        ]
    )

    assert [shown(job_id) for job_id in jobs] == ["3", "3"]
    assert set(JobLog.objects.values_list("job_id", flat=True)) == set(jobs)


def test_no_report_spoils_another():
    first, second = (deferred("sample.count_up_async", done=0) for _ in range(2))
    reports = [
        Progress(first, 1, 1.0, None, "a"),
        Progress(2**40, 1, 1.0, None, "of a job that is gone"),
        Progress(second, 1, float("inf"), float("nan"), "b"),
    ]

    progress.store(reports)

    assert JobProgress.objects.count() == 2
    assert shown(second) == "– of – (0 %): b"


def test_a_report_of_an_earlier_run_comes_too_late():
    job_id = deferred("sample.flaky", email="x")
    progress.store([Progress(job_id, 1, 5.0)])
    drain_queue(with_scheduled=True)

    progress.store([Progress(job_id, 1, 6.0)])

    assert JobProgress.objects.get().done == 5


def test_it_is_on_the_job_s_page_and_in_jobs_show(client: Client):
    job_id = deferred("sample.count_up", total=4)
    drain_queue()
    client.force_login(User.objects.create_superuser("ana"))
    told, as_json = StringIO(), StringIO()

    with translation.override("en"):
        call_command("jobs", "show", str(job_id), stdout=told)
    call_command("jobs", "show", str(job_id), "--json", stdout=as_json)
    page = client.get(f"/admin/queue/jobs/{job_id}/", headers={"accept-language": "en"}).content.decode()

    assert "4 of 4 (100 %): row 4" in told.getvalue()
    assert json.loads(as_json.getvalue())["progress"]["text"] == "row 4"
    assert '<progress max="4.0" value="4.0"' in page
    assert "(100 %): row 4" in page
