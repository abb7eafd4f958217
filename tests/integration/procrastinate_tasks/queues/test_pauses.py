"""Pausing one task, or until a time: what claims take, what every outlet says, what the page tells first."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import timedelta
from io import StringIO

import pytest
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command
from django.test import Client
from django.utils import timezone
from procrastinate.contrib.django import app

from procrastinate_tasks.database import ask
from procrastinate_tasks.exceptions import AlreadyOver, UnknownTask
from procrastinate_tasks.formatting import Amount
from procrastinate_tasks.jobs import descriptions
from procrastinate_tasks.jobs.descriptions import JobArgs, Kind, TaskDescription
from procrastinate_tasks.models import AuditEntry, TaskPause
from procrastinate_tasks.monitoring.metrics import collect, render
from procrastinate_tasks.queries.jobs import JobQuery, counts_of_tabs, list_ids
from procrastinate_tasks.queries.queues import queue_depths
from procrastinate_tasks.queries.tabs import Tab
from procrastinate_tasks.queues import pauses
from procrastinate_tasks.queues.diagnosis import why_not_running
from procrastinate_tasks.queues.policies import Cause
from tests.integration.pages import read
from tests.integration.procrastinate_tasks.claiming import claim, execute, look_ahead, register_worker
from tests.integration.procrastinate_tasks.job_states import TASK, make_job, make_scheduled
from tests.integration.procrastinate_tasks.viewer.office import address

pytestmark = pytest.mark.django_db

HOUR = timedelta(hours=1)


@pytest.fixture
def owner(client: Client) -> Client:
    client.force_login(User.objects.create_superuser("rosa", password="x"))
    client.cookies["django_language"] = "en"
    return client


def pause(**options: object) -> bool:
    return pauses.pause_task(**{"task": TASK, "by": "Ana", **options})  # type: ignore[arg-type]


def insert(count: int, *, task: str = TASK, lock: str | None = None, due: bool = False) -> None:
    execute(
        "INSERT INTO procrastinate_jobs (queue_name, task_name, args, lock, scheduled_at)"
        " SELECT 'sample', %s, '{\"number\": 1}', %s, CASE WHEN %s THEN now() - interval '1 minute' END"
        " FROM generate_series(1, %s)",
        task,
        lock,
        due,
        count,
    )


# --- Claims -----------------------------------------------------------------------------------------------


def test_no_job_of_a_paused_task_is_claimed_and_those_of_others_are():
    worker_id = register_worker()
    paused, other = make_job(), make_job(task="sample.locked")
    pause()

    assert claim(worker_id=worker_id) == [other]

    pauses.resume_task(task=TASK)
    assert claim(worker_id=worker_id) == [paused]


@pytest.mark.parametrize("due", [False, True], ids=["ready", "was scheduled"])
@pytest.mark.parametrize("lock", [None, "home:1"])
def test_thousands_of_jobs_of_a_paused_task_hold_up_no_other(lock: str | None, due: bool):
    worker_id = register_worker()
    insert(3000, lock=lock, due=due)
    insert(1, task="sample.locked", due=due)
    other = max(list_ids(JobQuery(task="sample.locked"), limit=5))
    pause()

    assert claim(worker_id=worker_id) == [other]


def test_a_worker_does_not_wake_for_what_is_paused():
    make_job()
    pause()

    assert look_ahead() == (None, False)


# --- Until a time -----------------------------------------------------------------------------------------


def test_a_pause_until_a_time_ends_when_it_has_come_and_no_other_does():
    pause(until=timezone.now() + HOUR)
    pauses.pause_queue(queue="sample", by="Ana", until=timezone.now() + HOUR)
    pauses.pause_task(task="sample.locked", by="Ana")

    assert pauses.end_lapsed_pauses() == 0
    execute("UPDATE procrastinate_tasks_taskpause SET paused_until = now() WHERE task_name = %s", TASK)
    execute("UPDATE procrastinate_tasks_queuerule SET paused_until = now()")
    assert pauses.end_lapsed_pauses() == 2

    assert [(each.kind, each.name) for each in pauses.list_pauses()] == [("task", "sample.locked")]


def test_a_pause_until_a_time_that_has_passed_pauses_nothing():
    with pytest.raises(AlreadyOver):
        pause(until=timezone.now() - HOUR)
    with pytest.raises(AlreadyOver):
        pauses.pause_queue(queue="sample", by="Ana", until=timezone.now() - HOUR)

    assert pauses.list_pauses() == ()


def test_who_paused_first_stays_and_a_task_that_nobody_knows_is_refused():
    assert pause(reason="the bank is down") is True
    assert pauses.pause_task(task=TASK, by="Luis") is False
    with pytest.raises(UnknownTask):
        pauses.pause_task(task="sample.remembr", by="Ana")
    with pytest.raises(ValueError, match="by whom"):
        pauses.pause_task(task=TASK, by=" ")

    assert TaskPause.objects.get().paused_by == "Ana"
    assert pauses.resume_task(task=TASK) is True
    assert pauses.resume_task(task=TASK) is False


# --- One truth --------------------------------------------------------------------------------------------


def test_jobs_of_a_paused_task_are_paused_in_every_outlet(owner: Client):
    job_id = make_job()
    other = make_job(task="sample.locked")
    make_scheduled()
    pause(reason="the bank is down")

    state = owner.get(address("queue_state_json")).json()
    metrics = render(collect())
    out = StringIO()
    with pytest.raises(CommandError):  # no worker is alive
        call_command("jobs", "status", "--json", stdout=out)
    status = json.loads(out.getvalue())

    assert (
        ask(counts_of_tabs(JobQuery()))[Tab.READY].number,
        ask(counts_of_tabs(JobQuery()))[Tab.PAUSED].number,
    ) == (1, 1)
    assert list_ids(JobQuery(tab=Tab.PAUSED), limit=5) == [job_id]
    assert list_ids(JobQuery(tab=Tab.READY), limit=5) == [other]
    (depth,) = ask(queue_depths())
    assert (depth.ready, depth.paused, depth.scheduled) == (1, 1, 1)
    assert (state["jobs"]["ready"], state["jobs"]["paused"]) == (1, 1)
    assert (
        [pause["name"] for pause in state["pauses"]]
        == [pause["name"] for pause in status["pauses"]]
        == [TASK]
    )
    assert 'procrastinate_jobs{queue="sample",state="paused"} 1.0' in metrics
    assert f'procrastinate_task_paused{{task="{TASK}"}} 1.0' in metrics
    reason = why_not_running(job_id)
    assert reason.cause is Cause.PAUSED
    assert TASK in reason.sentence


@pytest.mark.parametrize(
    "page",
    ["dashboard", "jobs", "failures", "queues", "workers", "schedule", "bulk", "audit", "system"],
)
def test_every_page_says_that_something_is_paused(owner: Client, page: str):
    pause(reason="the bank is down", until=timezone.now() + HOUR)

    text = read(owner.get(address(f"queue_{page}")))

    assert f"“{TASK}” is paused by Ana since" in text
    assert "the bank is down" in text


# --- Acting -----------------------------------------------------------------------------------------------


def amounts_of(calls: Sequence[JobArgs]) -> Mapping[int, Amount]:
    return {call.id: Amount(minor=100_000, currency="MXN") for call in calls}


def test_the_page_says_first_what_will_stand_still_with_its_sum(
    owner: Client, monkeypatch: pytest.MonkeyPatch
):
    described = TaskDescription(
        title="Charge", describe=lambda calls: {}, amounts=amounts_of, kind=Kind.MONEY, moves_money=True
    )
    monkeypatch.setitem(descriptions._presentations, TASK, described)
    make_job()
    make_scheduled()
    make_job(task="sample.locked")

    text = read(owner.get(address("queue_confirm"), {"action": "pause", "queue": "sample"}))

    assert "What will stand still" in text
    assert "Charge 1 1 $2,000.00 MXN" in text
    assert "sample.locked 1 0 –" in text
    assert all(name in text for name, task in app.tasks.items() if task.queue == "sample" and name != TASK)


def test_a_task_is_paused_for_half_an_hour_and_resumed_on_the_page(owner: Client):
    form = {"action": "pause_task", "task": TASK, "confirmed": "yes", "minutes": "30", "reason": "the bank"}

    said = read(owner.post(address("queue_act"), form, follow=True))
    (paused,) = pauses.list_pauses()
    owner.post(address("queue_act"), {"action": "resume_task", "task": TASK}, follow=True)

    assert "The task is paused" in said
    assert paused.paused_until is not None
    assert timedelta(minutes=29) < paused.paused_until - timezone.now() < timedelta(minutes=31)
    assert pauses.list_pauses() == ()
    assert list(AuditEntry.objects.values_list("action", "target_type", "target_id").order_by("id")) == [
        ("pause_task", "task", TASK),
        ("resume_task", "task", TASK),
    ]


@pytest.mark.parametrize("until", ["2020-01-01T10:00", "tomorrow", "9" * 30])
def test_a_time_that_cannot_be_pauses_nothing(owner: Client, until: str):
    form = {"action": "pause", "queue": "sample", "confirmed": "yes", "until": until}

    said = read(owner.post(address("queue_act"), form, follow=True))

    assert "That time has passed" in said
    assert pauses.list_pauses() == ()


def test_the_command_pauses_a_task_for_some_minutes(capsys: pytest.CaptureFixture[str]):
    make_job()

    call_command("jobs", "pause", "--task", TASK, "--for", "30", "--by", "Ana")
    with pytest.raises(CommandError):
        call_command("jobs", "status")
    said = capsys.readouterr().out
    call_command("jobs", "resume", "--task", TASK, "--by", "Ana")

    assert TASK in said
    assert "Ana" in said
    assert pauses.list_pauses() == ()


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (["pause", "--task", "sample.remembr"], 4),
        (["pause"], 1),
        (["pause", "sample", "--task", TASK], 1),
        (["pause", "sample", "--until", "2020-01-01"], 1),
        (["pause", "sample", "--until", "2020-01-01T10:00"], 1),
        (["pause", "sample", "--for", "0"], 1),
    ],
)
def test_the_command_refuses_what_cannot_be(words: list[str], code: int):
    with pytest.raises(CommandError) as refusal:
        call_command("jobs", *words, "--by", "Ana")

    assert refusal.value.returncode == code
    assert pauses.list_pauses() == ()
