"""``jobs replay``: a failed job runs here, nothing it does stays or leaves, and who did so is recorded."""

from __future__ import annotations

import json
from io import StringIO
from typing import Any

import pytest
from django.contrib.auth.models import Group, Permission, User
from django.core import mail
from django.core.management import CommandError, call_command
from django.utils import translation
from procrastinate.contrib.django.models import ProcrastinateJob

from procrastinate_tasks.jobs import descriptions
from procrastinate_tasks.jobs.deferring import defer
from procrastinate_tasks.jobs.descriptions import TaskDescription
from procrastinate_tasks.models import AuditEntry, JobAttempt
from tests.integration.procrastinate_tasks.claiming import execute
from tests.integration.procrastinate_tasks.job_states import make_job, make_running, status_of

# Nothing around the command's own transactions: that theirs are undone is what is tested.
pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def _in_english() -> Any:
    with translation.override("en"):
        yield


def a_failed_job(task: str, **args: object) -> int:
    job_id = defer(task, args)
    assert job_id is not None
    execute("UPDATE procrastinate_jobs SET status = 'doing', attempts = 1 WHERE id = %s", job_id)
    execute("UPDATE procrastinate_jobs SET status = 'failed' WHERE id = %s", job_id)
    return job_id


def replay(job_id: int, *options: str) -> tuple[int, str]:
    """Run the command and return its exit code and what it printed."""
    out = StringIO()
    try:
        call_command("jobs", "replay", str(job_id), *options, stdout=out)
    except SystemExit as end:
        return int(end.code or 0), out.getvalue()
    except CommandError as error:
        return error.returncode, f"{out.getvalue()}{error}"
    return 0, out.getvalue()


def assert_no_trace(job_id: int) -> None:
    assert not Group.objects.filter(name__in=["written", "in a thread"]).exists()
    assert [job.pk for job in ProcrastinateJob.objects.all()] == [job_id]
    assert status_of(job_id) == "failed"
    assert not JobAttempt.objects.exists()
    assert mail.outbox == []


def test_mail_is_kept_where_a_setting_stands_ready_that_this_django_may_not_know(settings, tmp_path):
    """``MAILERS`` are read from Django 6.1 on; the setting before them is what an older one goes by."""
    in_files = {"BACKEND": "django.core.mail.backends.filebased.EmailBackend"}
    settings.MAILERS = {"default": in_files | {"OPTIONS": {"file_path": str(tmp_path)}}}
    if not hasattr(mail, "mailers"):
        settings.EMAIL_BACKEND, settings.EMAIL_FILE_PATH = in_files["BACKEND"], str(tmp_path)

    code, text = replay(a_failed_job("sample.reach_out", how="nowhere"), "--yes", "--json")

    assert (code, json.loads(text)["mails_kept_back"]) == (0, 1)
    assert list(tmp_path.iterdir()) == []


def test_a_failed_job_is_run_and_leaves_no_trace_but_that_somebody_did_so():
    job_id = a_failed_job("sample.reach_out", how="nowhere")

    code, text = replay(job_id, "--yes", "--by", "Ana", "--json")

    told = json.loads(text)
    assert (code, told["outcome"], told["result"]) == (0, "succeeded", '"reached nobody"')
    assert (told["mails_kept_back"], told["refused"]) == (1, [])
    assert_no_trace(job_id)
    entry = AuditEntry.objects.get()
    assert (entry.action, entry.actor, entry.outcome, entry.target_id) == (
        "replay",
        "Ana",
        "applied",
        str(job_id),
    )


@pytest.mark.parametrize(
    ("how", "refused"),
    [
        ("network", "socket.connect"),
        ("name", "socket.getaddrinfo"),
        ("process", "subprocess.Popen"),
        ("connection", "another database connection"),
        ("commit", "a statement that ends the transaction"),
    ],
)
def test_each_way_out_is_refused(how: str, refused: str):
    job_id = a_failed_job("sample.reach_out", how=how)

    code, text = replay(job_id, "--yes")

    assert code == 1
    assert "RefusedInReplay" in text
    assert refused in text
    assert "Traceback (most recent call last)" in text
    assert_no_trace(job_id)


def test_an_async_job_is_undone_too():
    job_id = a_failed_job("sample.reach_out_async")

    code, text = replay(job_id, "--yes")

    assert code == 0
    assert "reached nobody" in text
    assert_no_trace(job_id)


def test_a_job_that_fails_again_says_how_without_its_arguments():
    job_id = a_failed_job("sample.flaky", email="ana@example.com")

    code, text = replay(job_id, "--yes")

    assert code == 1
    assert "sample_tasks.Flaky: cannot reach [email]" in text
    assert "ana@example.com" not in text
    assert_no_trace(job_id)


def test_without_yes_it_is_only_told_what_would_stay():
    job_id = a_failed_job("sample.reach_out", how="nowhere")

    code, text = replay(job_id)

    assert code == 0
    assert "--yes does it." in text
    assert "Not undone: files and caches" in text
    assert not AuditEntry.objects.exists()
    assert_no_trace(job_id)


def test_only_a_failed_job_is_replayed():
    waiting, running = make_job(), make_running()

    assert replay(waiting, "--yes")[0] == replay(running, "--yes")[0] == 6
    assert replay(running + 1000, "--yes")[0] == 4
    assert {entry.outcome for entry in AuditEntry.objects.all()} == {"refused"}


def test_who_acts_as_a_user_needs_the_permission_and_for_money_its_own_and_a_reason(
    monkeypatch: pytest.MonkeyPatch,
):
    job_id = a_failed_job("sample.reach_out", how="nowhere")
    user = User.objects.create_user("rosa", is_staff=True)
    assert replay(job_id, "--yes", "--as", "rosa")[0] == 6
    user.user_permissions.add(Permission.objects.get(codename="retry_job"))
    assert replay(job_id, "--yes", "--as", "rosa")[0] == 0

    told = TaskDescription(title="Reach", describe=lambda calls: {}, moves_money=True)
    monkeypatch.setattr(descriptions, "_presentations", {"sample.reach_out": told})
    assert replay(job_id, "--yes", "--as", "rosa", "--reason", "why")[0] == 6
    user.user_permissions.add(Permission.objects.get(codename="retry_money_job"))
    assert replay(job_id, "--yes", "--as", "rosa")[0] == 6
    assert replay(job_id, "--yes", "--as", "rosa", "--reason", "why")[0] == 0
