"""Actions by hand: what is possible in which state, and what is written down of it."""

from __future__ import annotations

import logging
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Permission, User
from django.db import IntegrityError, connection, transaction
from django.utils import timezone, translation

from procrastinate_tasks.actions.audit import report_of
from procrastinate_tasks.actions.permissions import allowed_tasks
from procrastinate_tasks.actions.policies import JOB_ACTIONS, Action, Refusal
from procrastinate_tasks.actions.reports import ActionRequest, Actor
from procrastinate_tasks.actions.services import act, preview, record_refused
from procrastinate_tasks.jobs import descriptions
from procrastinate_tasks.jobs.descriptions import TaskDescription
from procrastinate_tasks.models import AuditEntry, Channel, Job, JobAttempt
from procrastinate_tasks.testing import drain_queue
from tests.integration.constraints import assert_only_the_database_prevents, drop_trigger
from tests.integration.procrastinate_tasks.claiming import execute
from tests.integration.procrastinate_tasks.job_states import (
    MAKERS,
    TASK,
    make_failed_with_taken_lock,
    make_job,
    make_orphaned,
    make_parked,
    make_running,
    make_scheduled,
    status_of,
)

pytestmark = pytest.mark.django_db

ANA = Actor(name="ana")

# What becomes of a job in this state: its new status, or why not.
TABLE: dict[str, dict[Action, str | Refusal]] = {
    "ready": {
        Action.RETRY: Refusal.WAITS,
        Action.RUN_NOW: Refusal.DUE_ALREADY,
        Action.CANCEL: "cancelled",
        Action.ABORT: Refusal.WAITS,
        Action.RELEASE: Refusal.NOT_PARKED,
        Action.RESCUE: Refusal.WAITS,
    },
    "scheduled": {
        Action.RETRY: Refusal.WAITS,
        Action.RUN_NOW: "todo",
        Action.CANCEL: "cancelled",
        Action.ABORT: Refusal.WAITS,
        Action.RELEASE: Refusal.NOT_PARKED,
        Action.RESCUE: Refusal.WAITS,
    },
    "retrying": {
        Action.RETRY: Refusal.WAITS,
        Action.RUN_NOW: "todo",
        Action.CANCEL: "cancelled",
        Action.ABORT: Refusal.WAITS,
        Action.RELEASE: Refusal.NOT_PARKED,
        Action.RESCUE: Refusal.WAITS,
    },
    "running": {
        Action.RETRY: Refusal.RUNS,
        Action.RUN_NOW: Refusal.RUNS,
        Action.CANCEL: Refusal.RUNS,
        Action.ABORT: "doing",
        Action.RELEASE: Refusal.NOT_PARKED,
        Action.RESCUE: Refusal.RUNS,
    },
    "stopping": {
        Action.RETRY: Refusal.RUNS,
        Action.RUN_NOW: Refusal.RUNS,
        Action.CANCEL: Refusal.RUNS,
        Action.ABORT: Refusal.ASKED_TO_STOP,
        Action.RELEASE: Refusal.NOT_PARKED,
        Action.RESCUE: Refusal.RUNS,
    },
    "orphaned": {
        Action.RETRY: "todo",
        Action.RUN_NOW: Refusal.ORPHANED,
        Action.CANCEL: Refusal.ORPHANED,
        Action.ABORT: "doing",
        Action.RELEASE: Refusal.NOT_PARKED,
        Action.RESCUE: "todo",
    },
    "orphaned and stopping": {
        Action.RETRY: Refusal.ASKED_TO_STOP,
        Action.RUN_NOW: Refusal.ORPHANED,
        Action.CANCEL: Refusal.ORPHANED,
        Action.ABORT: Refusal.ASKED_TO_STOP,
        Action.RELEASE: Refusal.NOT_PARKED,
        Action.RESCUE: "aborted",
    },
    "succeeded": {
        Action.RETRY: Refusal.SUCCEEDED,
        Action.RUN_NOW: Refusal.ENDED,
        Action.CANCEL: Refusal.ENDED,
        Action.ABORT: Refusal.ENDED,
        Action.RELEASE: Refusal.NOT_PARKED,
        Action.RESCUE: Refusal.ENDED,
    },
    "failed": {
        Action.RETRY: "todo",
        Action.RUN_NOW: Refusal.ENDED,
        Action.CANCEL: Refusal.ENDED,
        Action.ABORT: Refusal.ENDED,
        Action.RELEASE: Refusal.NOT_PARKED,
        Action.RESCUE: Refusal.ENDED,
    },
    "failed, its lock taken": {
        Action.RETRY: Refusal.LOCK_TAKEN,
        Action.RUN_NOW: Refusal.ENDED,
        Action.CANCEL: Refusal.ENDED,
        Action.ABORT: Refusal.ENDED,
        Action.RELEASE: Refusal.NOT_PARKED,
        Action.RESCUE: Refusal.ENDED,
    },
    "parked": {
        Action.RETRY: Refusal.PARKED,
        Action.RUN_NOW: Refusal.ENDED,
        Action.CANCEL: Refusal.ENDED,
        Action.ABORT: Refusal.ENDED,
        Action.RELEASE: "todo",
        Action.RESCUE: Refusal.ENDED,
    },
    "cancelled": {
        Action.RETRY: "todo",
        Action.RUN_NOW: Refusal.ENDED,
        Action.CANCEL: Refusal.ENDED,
        Action.ABORT: Refusal.ENDED,
        Action.RELEASE: Refusal.NOT_PARKED,
        Action.RESCUE: Refusal.ENDED,
    },
    "aborted": {
        Action.RETRY: "todo",
        Action.RUN_NOW: Refusal.ENDED,
        Action.CANCEL: Refusal.ENDED,
        Action.ABORT: Refusal.ENDED,
        Action.RELEASE: Refusal.NOT_PARKED,
        Action.RESCUE: Refusal.ENDED,
    },
    "pruned": dict.fromkeys(JOB_ACTIONS, Refusal.NO_SUCH_JOB),
}


@pytest.fixture
def money(monkeypatch: pytest.MonkeyPatch) -> None:
    told = TaskDescription(title="Charge", describe=lambda jobs: {}, moves_money=True)
    monkeypatch.setattr(descriptions, "_presentations", {TASK: told})


def asking(action: Action, *job_ids: int, reason: str = "") -> ActionRequest:
    return ActionRequest(action=action, targets=tuple(map(str, job_ids)), actor=ANA, reason=reason)


def only(report: Any) -> Any:
    (target,) = report.targets
    return target


def user_with(*codenames: str) -> User:
    user = User.objects.create_user("berta", is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename__in=codenames))
    return user


# --- Each action in each state ----------------------------------------------------------------------------


def test_the_table_has_every_state_and_action():
    assert TABLE.keys() == MAKERS.keys()
    assert all(set(row) == set(JOB_ACTIONS) for row in TABLE.values())


@pytest.mark.parametrize("action", JOB_ACTIONS)
@pytest.mark.parametrize("state", MAKERS)
def test_an_action_does_what_the_table_says_and_its_dry_run_says_so_before(state: str, action: Action):
    job_id = MAKERS[state]()
    before = status_of(job_id)
    expected = TABLE[state][action]

    foreseen = only(preview(asking(action, job_id, reason="because")))
    assert status_of(job_id) == before
    target = only(act(action, job_ids=[job_id], actor=ANA, reason="because"))

    assert (target.refusal or status_of(job_id)) == expected
    assert (foreseen.refusal, foreseen.outcome) == (target.refusal, target.outcome)
    assert status_of(job_id) == before or target.was_applied
    entry = AuditEntry.objects.get()
    assert (entry.action, entry.target_id, entry.refusal) == (action, str(job_id), target.refusal or "")
    assert entry.outcome == ("applied" if target.was_applied else "refused")


@pytest.mark.parametrize("refusal", Refusal)
def test_every_refusal_has_its_words_in_both_languages(refusal: Refusal):
    detail = {"twin_id": 7, "problem": "…", "most": 5}
    entry = AuditEntry(
        action=Action.RETRY,
        outcome="refused",
        refusal=refusal,
        detail=detail,
        target_id="1",
        target_type="job",
    )

    with translation.override("en"):
        english = report_of(entry).sentence
    with translation.override("es-mx"):
        spanish = report_of(entry).sentence

    assert english.endswith((".", "…"))
    assert spanish != english


# --- What exactly is done ---------------------------------------------------------------------------------


def test_a_retried_job_is_due_at_once_and_its_history_says_retried():
    job_id = make_job(status="cancelled")

    act(Action.RETRY, job_ids=[job_id], actor=ANA)

    job = Job.objects.get(pk=job_id)
    assert job.scheduled_at is not None
    assert job.scheduled_at <= timezone.now()
    with connection.cursor() as cursor:
        cursor.execute("SELECT type::text FROM procrastinate_events WHERE job_id = %s ORDER BY id", [job_id])
        assert "retried" in [row[0] for row in cursor.fetchall()]
    assert drain_queue().succeeded == 1


def test_a_job_that_is_run_now_wakes_its_workers():
    job_id = make_scheduled()

    act(Action.RUN_NOW, job_ids=[job_id], actor=ANA)

    job = Job.objects.get(pk=job_id)
    assert job.scheduled_at is not None
    assert job.scheduled_at <= timezone.now()
    assert drain_queue().succeeded == 1


def test_a_stopped_job_is_marked_for_its_worker():
    job_id = make_running()

    act(Action.ABORT, job_ids=[job_id], actor=ANA, reason="it hangs")

    assert Job.objects.get(pk=job_id).abort_requested


def test_retrying_an_orphaned_job_records_the_lost_run():
    job_id = make_orphaned()

    target = only(act(Action.RETRY, job_ids=[job_id], actor=ANA))

    assert target.detail == {"before": "orphaned", "after": "ready"}
    assert JobAttempt.objects.get(job_id=job_id).outcome == "crashed"
    assert Job.objects.get(pk=job_id).attempts == 1


def test_a_person_may_run_a_job_again_that_the_rescue_would_park(settings: Any):
    settings.PROCRASTINATE_TASKS_MAX_CRASHES = 1
    retried, rescued = make_orphaned(), make_orphaned()

    act(Action.RETRY, job_ids=[retried], actor=ANA)
    act(Action.RESCUE, job_ids=[rescued], actor=ANA)

    assert (status_of(retried), status_of(rescued)) == ("todo", "failed")


def test_a_released_job_is_not_parked_at_its_next_crash():
    job_id = make_parked()

    act(Action.RELEASE, job_ids=[job_id], actor=ANA)
    execute("UPDATE procrastinate_jobs SET status = 'doing' WHERE id = %s", job_id)
    target = only(act(Action.RESCUE, job_ids=[job_id], actor=ANA))

    assert target.detail["after"] == "ready"


# --- Many at once -----------------------------------------------------------------------------------------


def test_of_many_jobs_each_gets_its_own_answer_in_the_order_asked():
    running, taken = make_running(), make_failed_with_taken_lock()
    failed = [make_job(status="failed") for _ in range(3)]
    chosen = [failed[0], running, failed[1], taken, failed[2]]

    foreseen = preview(asking(Action.RETRY, *chosen))
    report = act(Action.RETRY, job_ids=chosen, actor=ANA)

    for each in (foreseen, report):
        assert [int(target.target) for target in each.targets] == chosen
        assert [target.refusal for target in each.targets] == [
            None,
            Refusal.RUNS,
            None,
            Refusal.LOCK_TAKEN,
            None,
        ]
    assert list(AuditEntry.objects.values_list("group", flat=True)) == [report.group] * 5


def test_of_two_that_share_a_queueing_lock_the_later_is_retried():
    first = make_job(status="failed", queueing_lock="shared")
    second = make_job(status="failed", queueing_lock="shared")

    report = act(Action.RETRY, job_ids=[first, second], actor=ANA)

    assert [target.refusal for target in report.targets] == [Refusal.LOCK_TAKEN, None]
    assert report.targets[0].detail["twin_id"] == second


@pytest.mark.parametrize("job_id", [0, -1, 2**63, 10**30])
def test_an_id_that_cannot_be_is_no_such_job(job_id: int):
    assert only(act(Action.RETRY, job_ids=[job_id], actor=ANA)).refusal is Refusal.NO_SUCH_JOB


def test_an_id_given_twice_is_answered_once():
    job_id = make_job(status="failed")

    assert only(act(Action.RETRY, job_ids=[job_id, job_id], actor=ANA)).was_applied


# --- Who may, and why -------------------------------------------------------------------------------------


@pytest.mark.usefixtures("money")
@pytest.mark.parametrize("reason", ["", "  "])
def test_money_is_not_moved_without_a_reason(reason: str):
    job_id = make_job(status="failed")

    target = only(act(Action.RETRY, job_ids=[job_id], actor=ANA, reason=reason))

    assert target.refusal is Refusal.REASON_MISSING
    assert status_of(job_id) == "failed"


@pytest.mark.usefixtures("money")
def test_money_takes_a_permission_of_its_own_and_the_rest_is_done():
    charge = make_job(status="failed")
    other = make_job(status="failed", task="sample.locked")
    may = allowed_tasks(user_with("retry_job"), Action.RETRY)

    report = act(Action.RETRY, job_ids=[charge, other], actor=ANA, reason="because", may=may)

    assert [target.refusal for target in report.targets] == [Refusal.NOT_PERMITTED, None]


@pytest.mark.usefixtures("money")
def test_the_permission_for_money_is_enough_for_money():
    may = allowed_tasks(user_with("retry_money_job"), Action.RETRY)

    target = only(act(Action.RETRY, job_ids=[make_job(status="failed")], actor=ANA, reason="x", may=may))

    assert target.was_applied


def test_who_may_not_learns_nothing_about_a_job():
    may = allowed_tasks(user_with("view_job"), Action.RETRY)

    target = only(act(Action.RETRY, job_ids=[987_654_321], actor=ANA, may=may))

    assert target.refusal is Refusal.NOT_PERMITTED


def test_an_attempt_without_permission_is_written_down():
    user = user_with("view_job")
    actor = Actor(name=user.username, user_id=user.pk, request_id="r-1")

    record_refused(ActionRequest(action=Action.RETRY, targets=("12",), actor=actor))

    entry = AuditEntry.objects.get()
    assert (entry.outcome, entry.refusal, entry.user_id, entry.request_id) == (
        "refused",
        "not_permitted",
        str(user.pk),
        "r-1",
    )
    assert not LogEntry.objects.exists()


# --- What is written down ---------------------------------------------------------------------------------


def test_what_a_user_did_is_in_django_s_log_too():
    user = user_with("retry_job")
    job_id = make_job(status="failed")

    act(Action.RETRY, job_ids=[job_id], actor=Actor(name=user.username, user_id=user.pk))

    entry = LogEntry.objects.get()
    assert (entry.user_id, entry.object_id, entry.object_repr) == (user.pk, str(job_id), f"{TASK} {job_id}")


def test_one_log_line_tells_it_without_names_reasons_and_arguments(caplog: pytest.LogCaptureFixture):
    caplog.set_level(logging.INFO, "procrastinate_tasks.actions.audit")
    actor = Actor(name="ana@example.com", user_id=None, channel=Channel.CLI)

    act(Action.RETRY, job_ids=[make_job(status="failed")], actor=actor, reason="ana@example.com asked")

    (record,) = [record for record in caplog.records if record.name == "procrastinate_tasks.actions.audit"]
    assert (record.action, record.applied, record.channel) == ("retry", 1, "cli")  # type: ignore[attr-defined]
    assert "example.com" not in str(vars(record))


@pytest.mark.parametrize("change", ["UPDATE {} SET outcome = 'applied'", "DELETE FROM {}"])
def test_an_audit_entry_never_changes_and_stays(change: str):
    record_refused(ActionRequest(action=Action.RETRY, targets=("12",), actor=ANA))
    table = AuditEntry._meta.db_table

    assert_only_the_database_prevents(
        fault=lambda: execute(change.format(table)),
        rule="ptasks_audit_never_changes|never changes",
        drop=drop_trigger(table, "ptasks_audit_never_changes"),
    )


def test_the_deed_and_its_record_stand_or_fall_together():
    job_id = make_job(status="failed")

    with pytest.raises(IntegrityError), transaction.atomic():
        act(Action.RETRY, job_ids=[job_id], actor=ANA)
        execute("INSERT INTO procrastinate_workers (id) OVERRIDING SYSTEM VALUE VALUES (1), (1)")

    assert status_of(job_id) == "failed"
    assert not AuditEntry.objects.exists()


# --- Sent twice -------------------------------------------------------------------------------------------


def test_a_form_sent_twice_acts_once_and_tells_the_same():
    job_id = make_job(status="failed")

    first = act(Action.RETRY, job_ids=[job_id], actor=ANA, token="form-1")
    execute("UPDATE procrastinate_jobs SET status = 'failed' WHERE id = %s", job_id)
    again = act(Action.RETRY, job_ids=[job_id], actor=ANA, token="form-1")

    assert again.is_repeat
    assert not first.is_repeat
    assert again.targets == first.targets
    assert status_of(job_id) == "failed"
    assert AuditEntry.objects.count() == 1


def test_a_token_counts_for_its_person_deed_and_jobs_only():
    first, second = make_job(status="failed"), make_job(status="failed")
    act(Action.RETRY, job_ids=[first], actor=ANA, token="form-1")

    others = [
        act(Action.CANCEL, job_ids=[first], actor=ANA, token="form-1"),
        act(Action.RETRY, job_ids=[second], actor=ANA, token="form-1"),
        act(Action.RETRY, job_ids=[first], actor=Actor(name="berta"), token="form-1"),
    ]

    assert [report.is_repeat for report in others] == [False, False, False]
    assert (status_of(first), status_of(second)) == ("todo", "todo")


# --- When the database does not want ----------------------------------------------------------------------


def test_a_fault_of_the_database_is_told_and_leaves_the_transaction_usable():
    job_id = make_job(status="failed")
    execute("ALTER TABLE procrastinate_jobs ADD CONSTRAINT never CHECK (status <> 'todo') NOT VALID")

    target = only(act(Action.RETRY, job_ids=[job_id], actor=ANA))

    assert target.outcome == "failed"
    assert target.detail == {"problem": "CheckViolation"}
    assert AuditEntry.objects.get().outcome == "failed"
