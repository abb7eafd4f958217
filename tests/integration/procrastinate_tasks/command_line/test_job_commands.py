"""``manage.py jobs`` on jobs: listing, showing and acting, for people and for scripts."""

from __future__ import annotations

import json
from collections.abc import Iterator
from io import StringIO
from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from django.core.management import CommandError, call_command
from django.utils import timezone, translation

from procrastinate_tasks.actions.bulk import RUN_TASK
from procrastinate_tasks.command_line import people
from procrastinate_tasks.jobs import descriptions, log_lines, stacks
from procrastinate_tasks.jobs.deferring import defer
from procrastinate_tasks.jobs.descriptions import TaskDescription
from procrastinate_tasks.jobs.log_lines import LogLine, RunLog
from procrastinate_tasks.models import AuditEntry, BulkOperation, LiveWorker
from procrastinate_tasks.testing import assert_enqueued, drain_queue
from tests.integration.procrastinate_tasks.claiming import execute, register_worker
from tests.integration.procrastinate_tasks.job_states import (
    TASK,
    make_job,
    make_orphaned,
    make_parked,
    make_running,
    make_scheduled,
    status_of,
)

pytestmark = pytest.mark.django_db

SECRET = "ana@example.com"


@pytest.fixture(autouse=True)
def _in_english() -> Iterator[None]:
    with translation.override("en"):
        yield


def jobs(*arguments: object) -> tuple[int, str]:
    """Run the command and return its exit code and what it printed."""
    out = StringIO()
    try:
        call_command("jobs", *map(str, arguments), stdout=out)
    except SystemExit as end:
        return int(end.code or 0), out.getvalue()
    except CommandError as error:
        return error.returncode, f"{out.getvalue()}{error}"
    return 0, out.getvalue()


def answer(*arguments: object) -> tuple[int, Any]:
    code, text = jobs(*arguments, "--json")
    return code, json.loads(text)


def lines(*arguments: object) -> tuple[int, list[Any]]:
    code, text = jobs(*arguments, "--json")
    return code, [json.loads(line) for line in text.splitlines()]


def failed_jobs(count: int) -> list[int]:
    return [make_job(status="failed") for _ in range(count)]


@pytest.fixture
def money(monkeypatch: pytest.MonkeyPatch) -> None:
    told = TaskDescription(title="Charge", describe=lambda calls: {}, moves_money=True)
    monkeypatch.setattr(descriptions, "_presentations", {TASK: told})


# --- Listing ----------------------------------------------------------------------------------------------


def test_jobs_are_listed_newest_first_and_narrowed_by_a_filter():
    ready, failed = make_job(), make_job(status="failed")

    assert [job["id"] for job in lines("list")[1]] == [failed, ready]
    assert [job["id"] for job in lines("list", "--state", "failed")[1]] == [failed]
    assert [job["state"] for job in lines("list", "--task", TASK, "--queue", "sample")[1]] == [
        "failed",
        "ready",
    ]
    assert [job["id"] for job in lines("list", "--search", ready)[1]] == [ready]


def test_jobs_are_listed_by_the_fault_that_jobs_show_tells():
    job_id, other = defer("sample.flaky", {"email": SECRET, "hopeless": True}), make_job()
    drain_queue()
    shown = json.loads(jobs("show", job_id, "--json")[1])

    listed = lines("list", "--fault", shown["attempts"][0]["fingerprint"])[1]

    assert [job["id"] for job in listed] == [job_id]
    assert other not in [job["id"] for job in listed]


def test_a_table_is_aligned_and_says_when_it_was_cut():
    failed_jobs(3)

    code, text = jobs("list", "--limit", "2")

    heading, *rows, last = text.splitlines()
    assert code == 0
    assert len(rows) == 2
    assert {row[heading.index("STATE") - 1] for row in rows} == {" "}
    assert last == "… there are more; --limit shows them."


def test_more_than_a_page_is_listed():
    job_ids = failed_jobs(120)

    assert [job["id"] for job in lines("list", "--limit", 110)[1]] == job_ids[::-1][:110]


def test_a_list_without_any_job_exits_with_three():
    assert jobs("list") == (3, "No job matches.\n")
    assert lines("list") == (3, [])


@pytest.mark.parametrize("option", ["--task", "--queue"])
def test_a_misspelt_name_is_told_instead_of_an_empty_list(option: str):
    code, text = jobs("list", option, "smaple.remember")

    assert code == 4
    assert "smaple.remember" in text


def test_a_date_that_is_none_is_told():
    code, text = jobs("list", "--since", "tomorrow")

    assert code == 1
    assert "“tomorrow” is no date" in text


@pytest.mark.parametrize("verb", [("list",), ("show", "{job}")])
def test_arguments_are_printed_on_demand_only(verb: tuple[str, ...]):
    job_id = defer("sample.flaky", {"email": SECRET})
    arguments = [part.format(job=job_id) for part in verb]

    for form in ([], ["--json"]):
        assert SECRET not in jobs(*arguments, *form)[1]
        assert SECRET in jobs(*arguments, *form, "--show-arguments")[1]


# --- Showing ----------------------------------------------------------------------------------------------


def test_a_job_is_shown_with_its_events_attempts_and_actions():
    job_id = defer("sample.flaky", {"email": SECRET, "hopeless": True})
    drain_queue()
    jobs("retry", job_id, "--by", "Ana", "--reason", "bank is back")

    code, text = jobs("show", job_id)
    shown = answer("show", job_id)[1]

    assert code == 0
    for expected in (
        "sample.flaky",
        "Deferred",
        "Hopeless",
        "Unknown.",
        "Ana",
        "bank is back",
        "It waits again.",
    ):
        assert expected in text
    assert [event["type"] for event in shown["events"]][-1] == "retried"
    assert shown["attempts"][0]["outcome"] == "failed"
    assert shown["actions"][0]["actor"] == "Ana"
    assert "Traceback" not in text
    assert "Traceback" in jobs("show", job_id, "--show-traceback")[1]


def test_the_arguments_that_log_lines_show_are_shown_and_the_rest_is_counted():
    job_id = defer("sample.remember", {"number": 7})
    other = defer("sample.flaky", {"email": SECRET})

    assert "number=7" in jobs("show", job_id)[1]
    assert "(1 hidden: --show-arguments)" in jobs("show", other)[1]


@pytest.mark.parametrize("verb", ["show", "why"])
def test_a_job_that_does_not_exist_exits_with_four(verb: str):
    code, text = jobs(verb, 987_654_321)

    assert code == 4
    assert "There is no job 987654321" in text


# --- Acting on named jobs ---------------------------------------------------------------------------------


def test_a_retry_is_done_at_once_and_written_down_with_the_system_s_user():
    (job_id,) = failed_jobs(1)

    code, report = answer("retry", job_id)

    assert (code, status_of(job_id)) == (0, "todo")
    assert report["jobs"] == [
        {
            "id": job_id,
            "task": TASK,
            "outcome": "applied",
            "refusal": None,
            "sentence": "It waits again.",
            "before": "failed",
            "after": "ready",
        }
    ]
    entry = AuditEntry.objects.get()
    assert (entry.actor, entry.channel, entry.user_id) == (people.system_user(), "cli", "")


def test_the_exit_code_tells_all_some_or_none():
    first, second = failed_jobs(2)
    running = make_running()

    assert jobs("retry", first)[0] == 0
    assert jobs("retry", second, running)[0] == 5
    assert jobs("retry", running)[0] == 6
    assert jobs("retry", 987_654_321)[0] == 4


@pytest.mark.parametrize(
    ("verb", "make", "done"),
    [("cancel", make_job, "cancelled"), ("abort", make_running, "doing")],
)
def test_what_cannot_be_taken_back_is_only_shown_until_it_is_confirmed(verb: str, make: Any, done: str):
    job_id = make()
    before = status_of(job_id)

    code, text = jobs(verb, job_id, "--reason", "wrong")

    assert (code, status_of(job_id)) == (0, before)
    assert "Nothing was done. It would be possible for 1 of 1" in text
    assert not AuditEntry.objects.exists()
    assert jobs(verb, job_id, "--reason", "wrong", "--yes")[0] == 0
    assert status_of(job_id) == done
    assert AuditEntry.objects.get().outcome == "applied"


@pytest.mark.parametrize(
    ("verb", "make", "status"),
    [
        ("run-now", make_scheduled, "todo"),
        ("release", make_parked, "todo"),
        ("rescue", make_orphaned, "todo"),
    ],
)
def test_each_verb_does_its_action(verb: str, make: Any, status: str):
    job_id = make()

    assert jobs(verb, job_id)[0] == 0
    assert status_of(job_id) == status
    assert AuditEntry.objects.get().action == verb.replace("-", "_")


def test_a_dry_run_can_be_asked_of_any_verb():
    (job_id,) = failed_jobs(1)

    assert jobs("retry", job_id, "--dry-run")[0] == 0
    assert status_of(job_id) == "failed"


def test_rescue_without_a_number_takes_all_that_are_orphaned():
    assert jobs("rescue") == (0, "No job is orphaned.\n")
    job_ids = [make_orphaned(), make_orphaned()]
    make_running()

    code, report = answer("rescue")

    assert (code, report["applied"]) == (0, 2)
    assert [status_of(job_id) for job_id in job_ids] == ["todo", "todo"]


@pytest.mark.usefixtures("money")
def test_money_takes_a_reason():
    (job_id,) = failed_jobs(1)

    code, text = jobs("retry", job_id)

    assert code == 6
    assert "A reason is needed" in text
    assert jobs("retry", job_id, "--reason", "the bank is back")[0] == 0


def test_neither_jobs_nor_a_filter_or_both_is_a_mistake():
    assert jobs("retry")[0] == 1
    assert jobs("retry", 1, "--state", "failed")[0] == 1


# --- Acting on all that match -----------------------------------------------------------------------------


def test_a_filter_is_only_looked_at_until_it_is_confirmed():
    failed_jobs(3)

    code, text = jobs("retry", "--state", "failed")

    assert code == 0
    assert "It would be possible for 3 of 3" in text
    assert not BulkOperation.objects.exists()


def test_a_confirmed_filter_is_done_here_and_written_down():
    failed_jobs(3)
    make_running()

    code, report = answer("retry", "--state", "failed", "--yes", "--reason", "the bank is back")

    assert code == 0
    assert (report["state"], report["requested"], report["applied"]) == ("finished", 3, 3)
    operation = BulkOperation.objects.get()
    assert operation.filters == {"state": "failed"}
    assert AuditEntry.objects.filter(group=operation.token, target_type="job").count() == 3


def test_a_filter_whose_jobs_are_partly_refused_exits_with_five():
    failed_jobs(1)
    make_parked()

    assert jobs("retry", "--state", "failed", "--yes")[0] == 5
    assert jobs("retry", "--state", "failed", "--yes")[0] == 6


def test_a_filter_that_finds_nothing_exits_with_three():
    assert jobs("retry", "--state", "failed", "--yes") == (3, "No job matches.\n")


def test_a_worker_can_be_left_to_do_it():
    failed_jobs(2)

    code, text = jobs("retry", "--state", "failed", "--yes", "--background", "--pace", "20")

    operation = BulkOperation.objects.get()
    assert (code, operation.state, operation.pace_per_minute) == (0, "running", 20)
    assert f"Bulk operation {operation.pk} was started" in text
    assert_enqueued(RUN_TASK, {"operation_id": operation.pk})


def test_a_pace_below_one_is_a_mistake():
    assert jobs("retry", "--state", "failed", "--pace", "0")[0] == 1


# --- On whose behalf --------------------------------------------------------------------------------------


def test_who_acts_as_a_user_may_what_the_user_may():
    user = User.objects.create_user("berta", is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename="retry_job"))
    (job_id,), waiting = failed_jobs(1), make_job()

    assert jobs("cancel", waiting, "--as", "berta", "--yes")[0] == 6
    assert jobs("retry", job_id, "--as", "berta")[0] == 0
    assert jobs("pause", "sample", "--as", "berta")[0] == 6
    assert jobs("schedule", "run", "sample.locked", "--as", "berta")[0] == 6

    written = AuditEntry.objects.order_by("id").values_list("actor", "user_id", "action", "refusal")
    assert list(written) == [
        ("berta", str(user.pk), "cancel", "not_permitted"),
        ("berta", str(user.pk), "retry", ""),
        ("berta", str(user.pk), "pause", "not_permitted"),
        ("berta", str(user.pk), "run_schedule", "not_permitted"),
    ]


@pytest.mark.parametrize("is_active", [True, False])
def test_a_user_that_is_none_or_may_not_log_in_cannot_act(is_active: bool):
    User.objects.create_user("carla" if is_active else "berta", is_active=is_active)

    code, text = jobs("retry", 1, "--as", "berta")

    assert code == 4
    assert "There is no active user berta" in text


def test_a_system_that_knows_no_name_gives_a_number(monkeypatch: pytest.MonkeyPatch):
    def know_nobody() -> str:
        raise KeyError("getpwuid(): uid not found")

    monkeypatch.setattr("getpass.getuser", know_nobody)

    assert people.system_user().startswith("uid ")


# --- Audit and workers ------------------------------------------------------------------------------------


def test_the_audit_is_listed_the_latest_first_and_narrowed():
    job_ids = failed_jobs(2)
    jobs("retry", job_ids[0], "--by", "Ana")
    jobs("retry", job_ids[1], "--by", "Berta", "--reason", "bank is back")

    assert [entry["actor"] for entry in lines("audit")[1]] == ["Berta", "Ana"]
    assert [entry["target_id"] for entry in lines("audit", "--by", "Ana")[1]] == [str(job_ids[0])]
    assert jobs("audit", "--action", "cancel") == (3, "Nobody did anything of the kind.\n")
    assert "bank is back" in jobs("audit")[1]


def test_workers_are_listed_with_what_they_say_about_themselves():
    worker_id = register_worker(queues=["sample"], capacity=3)
    LiveWorker.objects.update(host="dyno-1", memory_bytes=50 * 1024 * 1024)

    (worker,) = answer("workers")[1]
    text = jobs("workers")[1]

    assert (worker["id"], worker["host"], worker["capacity"], worker["is_alive"]) == (
        worker_id,
        "dyno-1",
        3,
        True,
    )
    assert "50 MB" in text
    assert "sample" in text


def test_nothing_is_ever_printed_in_colour():
    assert "\x1b" not in jobs("status")[1] + jobs("show", 1)[1]


@pytest.mark.parametrize("verb", ["retry", "run-now", "release"])
def test_a_job_that_never_was_is_not_found(verb):
    assert jobs(verb, 99999999)[0] == 4
    assert jobs(verb, 99999999, *failed_jobs(1))[0] != 4


def test_a_dry_run_promises_nothing_that_yes_would_not_do():
    (failed,) = failed_jobs(1)

    _code, text = jobs("cancel", failed)
    assert text.endswith("Nothing was done. It is possible for none.\n")
    _code, text = jobs("retry", failed, "--dry-run")
    assert text.endswith("It would be possible for 1 of 1.\n")
    _code, text = jobs("cancel", make_job())
    assert text.endswith("It would be possible for 1 of 1: --yes does it.\n")


def test_the_log_lines_of_a_job_are_printed_where_they_are_asked_for():
    job_id = make_running()
    line = LogLine(1_764_440_000.25, "WARNING", "shop.mail", "not sent")
    log_lines.store([RunLog(job_id=job_id, run=1, attempt=1, lines=(line,), left_out=7)])

    assert "not sent" not in jobs("show", job_id)[1]
    text = jobs("show", job_id, "--show-log")[1]
    assert "WARNING shop.mail: not sent" in text
    assert "left out before them: 7" in text
    assert answer("show", job_id, "--show-log")[1]["logs"][0]["left_out"] == 7
    assert "logs" not in answer("show", job_id)[1]


def test_a_stack_is_asked_for_and_each_way_it_does_not_come_has_its_code():
    waiting, running = make_job(), make_running()

    assert jobs("stack", running + 1000)[0] == 4
    assert jobs("stack", waiting)[0] == 6
    code, text = jobs("stack", running, "--wait", "0")
    assert (code, "has not answered in time" in text) == (1, True)
    execute("UPDATE procrastinate_tasks_jobstack SET asked_at = now() - interval '6 seconds'")
    code, text = jobs("stack", running, "--wait", "0")
    assert (code, "Its process does not answer." in text) == (1, True)


def test_a_stack_that_was_answered_is_printed(monkeypatch: pytest.MonkeyPatch):
    job_id, now = make_running(), timezone.now()
    stood = stacks.StackOfJob(runs=True, asked_at=now, answered_at=now, stack="in charge")
    monkeypatch.setattr(stacks, "ask", lambda asked, *, within: stood if asked == job_id else None)

    assert jobs("stack", job_id) == (0, "in charge\n")
    assert answer("stack", job_id)[1]["stack"] == "in charge"
