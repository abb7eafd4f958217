"""Rows that nobody here wrote: one that cannot be read takes no page, command or neighbour away."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command
from django.db import connection
from django.test import Client
from django.urls import reverse

from procrastinate_tasks.jobs import descriptions
from procrastinate_tasks.jobs.deferring import defer
from procrastinate_tasks.models import BulkOperation
from procrastinate_tasks.monitoring.metrics import collect, render
from tests.integration.procrastinate_tasks.claiming import execute

pytestmark = pytest.mark.django_db

ARGUMENTS = {
    "list": "[1, 2]",
    "text": '"x"',
    "null": "null",
    "number": "5",
    "true": "true",
    "nothing": "{}",
    "above all floats": "1e400",
    "more digits than Python reads": "9" * 5000,
    "deeper than Python reads": "[" * 3000 + "]" * 3000,
}
# The same as values of the argument that a task is about.
VALUES = {
    **ARGUMENTS,
    "object": '{"id": 1}',
    "no id": "-1",
    "fraction": "1.5",
    "larger than an id": str(2**63),
    "many digits": "9" * 400,
    "long text": json.dumps("x" * 20_000),
    "escapes": json.dumps("\\u0000 %s %(id)s {} {{ x }} \x1b[31m <script>"),
}
# So many rows on is another task with another value: every value is opened, though not with every task.
ANY_VALUE = 12
PAGES = (
    "queue_dashboard",
    "queue_state_json",
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
COMMANDS = (
    ["list", "--limit", "1000"],
    ["list", "--limit", "1000", "--show-arguments"],
    ["status"],
    ["limits"],
    ["workers"],
    ["tasks"],
    ["health"],
    ["audit"],
)


@pytest.fixture
def owner() -> Client:
    client = Client()
    client.force_login(User.objects.create_superuser("rosa", password="x"))
    return client


@pytest.fixture(params=["todo", pytest.param("doing", marks=pytest.mark.slow), "failed"])
def strange_ids(request: pytest.FixtureRequest) -> list[int]:
    """Return a job of each presented task with each of these arguments, in one state."""
    jobs = []
    for name, task in sorted(descriptions.described_tasks().items()):
        argument = json.dumps(task.related_argument or "number")
        of_values = [f"{{{argument}: {value}}}" for value in VALUES.values()]
        jobs += [(name, args) for args in (*ARGUMENTS.values(), *of_values)]
    return _insert_all(jobs, request.param)


def _insert(task: str, args: str, status: str) -> int:
    return _insert_all([(task, args)], status)[0]


def _insert_all(jobs: list[tuple[str, str]], status: str) -> list[int]:
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO procrastinate_jobs (queue_name, task_name, args)"
            " SELECT 'payments', task, args::jsonb FROM unnest(%s::text[], %s::text[]) AS new (task, args)"
            " RETURNING id",
            [[task for task, _ in jobs], [args for _, args in jobs]],
        )
        ids = [job_id for (job_id,) in cursor.fetchall()]
        if status != "todo":
            for step in dict.fromkeys(("doing", status)):
                cursor.execute("UPDATE procrastinate_jobs SET status = %s WHERE id = ANY(%s)", [step, ids])
    return ids


def add_strange_attempt(job_id: int, **columns: str) -> None:
    usual = {
        "result": "null",
        "started_at": "now",
        "finished_at": "now",
        "outcome": "failed",
        "exception_class": "builtins.KeyError",
        "message": "x",
        "fingerprint": "1f2e",
    }
    values = {**usual, **columns}
    execute(
        "INSERT INTO procrastinate_tasks_jobattempt (job_id, attempt, task_name, queue_name, host, release,"
        " started_at, finished_at, outcome, exception_class, message, traceback, fingerprint, result)"
        " SELECT id, 1, task_name, queue_name, '', '', %s, %s, %s, %s, %s, '', %s, %s::jsonb"
        " FROM procrastinate_jobs WHERE id = %s",
        *(
            values[name]
            for name in (
                "started_at",
                "finished_at",
                "outcome",
                "exception_class",
                "message",
                "fingerprint",
                "result",
            )
        ),
        job_id,
    )


def assert_pages_open(client: Client, job_ids: list[int]) -> None:
    for page in PAGES:
        assert client.get(reverse(f"admin:{page}")).status_code == 200, page
    for tab in ("", "attention", "ready", "running", "orphaned", "failed"):
        assert client.get(reverse("admin:queue_jobs"), {"tab": tab}).status_code == 200, tab
    for job_id in job_ids:
        assert client.get(reverse("admin:queue_job", args=[job_id])).status_code == 200, job_id


def test_every_page_opens_with_strange_arguments_in_its_rows(owner: Client, strange_ids: list[int]):
    assert_pages_open(owner, strange_ids[::ANY_VALUE])


def test_a_page_lists_them_all(owner: Client, strange_ids: list[int]):
    seen: set[int] = set()
    before = ""
    while page := owner.get(reverse("admin:queue_jobs"), {"before": before}).context["rows"]:
        seen |= {shown.row.id for shown in page}
        before = str(page[-1].row.id)

    assert seen == set(strange_ids)


@pytest.mark.parametrize("action", ["retry", "cancel", "run_now", "abort", "rescue"])
def test_what_an_action_would_come_to_is_shown(owner: Client, strange_ids: list[int], action: str):
    jobs = [str(job_id) for job_id in strange_ids[-80:]]
    shown = owner.get(reverse("admin:queue_confirm"), {"action": action, "job": jobs})
    bulk = owner.get(reverse("admin:queue_bulk_new"), {"action": action, "queue": "payments"})

    assert (shown.status_code, bulk.status_code) == (200, 200)


def test_they_can_be_cancelled_by_the_form_of_many(owner: Client):
    ids = [_insert("payments.tasks.charge_balance_for_booking", args, "todo") for args in VALUES.values()]

    done = owner.post(
        reverse("admin:queue_bulk_new") + "?queue=payments",
        {"action": "cancel", "typed": str(len(ids)), "reason": "nobody can read them"},
        follow=True,
    )
    operation = BulkOperation.objects.get()

    assert done.status_code == 200
    assert operation.requested == len(ids)


@pytest.mark.parametrize("is_json", [False, True], ids=["table", "json"])
def test_every_command_ends_with_an_answer(
    strange_ids: list[int], is_json: bool, capsys: pytest.CaptureFixture[str]
):
    for options in COMMANDS:
        code = _run([*options, *(["--json"] if is_json else [])])

        output = capsys.readouterr().out
        assert code in (0, 1, 3), options
        if is_json and options[0] != "audit":
            for text in output.splitlines() if options[0] == "list" else [output]:
                json.loads(text, parse_constant=pytest.fail)


def _run(words: list[str]) -> int:
    try:
        call_command("jobs", *words)
    except CommandError as error:
        return error.returncode
    except SystemExit as ending:
        return int(ending.code or 0)
    return 0


@pytest.mark.parametrize("is_json", [False, True], ids=["words", "json"])
def test_each_of_them_is_shown_and_its_reason_told(
    strange_ids: list[int], is_json: bool, capsys: pytest.CaptureFixture[str]
):
    options = ["--json"] if is_json else []
    for job_id in strange_ids[:: len(strange_ids) // 30]:
        for words in (["show", str(job_id), "--show-arguments"], ["why", str(job_id)]):
            assert _run([*words, *options]) == 0
            output = capsys.readouterr().out
            if is_json:
                json.loads(output, parse_constant=pytest.fail)


def test_numbers_for_programs_are_told(strange_ids: list[int]):
    assert f"}} {float(len(strange_ids))}" in render(collect())


STRANGE_ATTEMPTS: tuple[dict[str, str], ...] = (
    {"result": "9" * 5000},
    {"result": "[" * 3000 + "]" * 3000},
    {"result": "1e400"},
    {"started_at": "-infinity"},
    {"finished_at": "infinity"},
    {"started_at": "4713-01-01 BC", "finished_at": "294276-12-31"},
    {"outcome": "no_such_outcome"},
    {"exception_class": "..", "message": ""},
    {"message": "\x1b[31m\r\n\u2028" * 1000},
    {"fingerprint": "/:?&%00"},
)


def test_every_page_and_command_opens_with_strange_attempts(owner: Client):
    job_ids = [
        _insert("payments.tasks.charge_balance_for_booking", '{"booking_id": 1}', "failed")
        for _ in STRANGE_ATTEMPTS
    ]
    for job_id, columns in zip(job_ids, STRANGE_ATTEMPTS, strict=True):
        add_strange_attempt(job_id, **columns)

    assert_pages_open(owner, job_ids)
    faults = owner.get(reverse("admin:queue_failures")).content.decode()
    for link in set(re.findall(r'href="(/admin/queue/failures/[^"]*)"', faults)):
        assert owner.get(link.replace("&amp;", "&")).status_code == 200, link
    shown = [["show", str(job_id), *options] for job_id in job_ids for options in ([], ["--json"])]
    for words in (*shown, ["list"], ["list", "--json"]):
        assert _run(words) == 0, words


def test_every_page_and_command_opens_with_strange_events(owner: Client):
    job_ids = []
    for at in ("-infinity", "infinity", "294276-12-31"):
        job_ids.append(_insert("bookings.tasks.mark_expired_holds", "{}", "failed"))
        execute("UPDATE procrastinate_events SET at = %s WHERE job_id = %s", at, job_ids[-1])

    assert_pages_open(owner, job_ids)
    told = [[verb, str(job_id)] for job_id in job_ids for verb in ("show", "why")]
    for words in (*told, ["list", "--json"], ["status"]):
        assert _run(words) in (0, 1), words


def test_every_page_and_command_opens_with_workers_that_beat_at_strange_instants(owner: Client):
    job_ids = []
    for heartbeat in ("-infinity", "infinity", "4713-01-01 BC"):
        execute("INSERT INTO procrastinate_workers (last_heartbeat) VALUES (%s)", heartbeat)
        job_ids.append(_insert("bookings.tasks.mark_expired_holds", "{}", "doing"))
        execute(
            "UPDATE procrastinate_jobs SET worker_id = (SELECT max(id) FROM procrastinate_workers)"
            " WHERE id = %s",
            job_ids[-1],
        )

    assert_pages_open(owner, job_ids)
    assert render(collect())
    for words in (["workers"], ["workers", "--json"], ["status"], ["health"]):
        assert _run(words) in (0, 1), words


def test_one_row_that_its_task_cannot_tell_leaves_the_others_their_sentences(owner: Client):
    jobs = [defer("payments.tasks.apply_stripe_event", {"event_id": f"evt_{number}"}) for number in range(5)]
    told: Any = descriptions.find_description("payments.tasks.apply_stripe_event")

    def describe(calls):
        if any(call.id == jobs[2] for call in calls):
            raise KeyError("event_id")
        return told.describe(calls)

    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(
            descriptions._presentations,
            "payments.tasks.apply_stripe_event",
            descriptions.TaskDescription(title="Events", describe=describe),
        )
        rows = owner.get(reverse("admin:queue_jobs")).context["rows"]

    sentences = {shown.row.id: shown.description.sentence for shown in rows}
    assert sentences.pop(jobs[2]) == "Events"
    assert all("evt_" in sentence for sentence in sentences.values())
