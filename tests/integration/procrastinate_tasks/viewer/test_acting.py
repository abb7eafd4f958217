"""Acting from the viewer: four tiers of confirmation, once however often it is clicked, never a 500."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from django.contrib.messages import get_messages
from django.test import Client

from procrastinate_tasks.actions.policies import JOB_ACTIONS, QUEUE_ACTIONS, SCHEDULE_ACTIONS, Action
from procrastinate_tasks.actions.reports import Actor
from procrastinate_tasks.actions.services import act_on_queue
from procrastinate_tasks.conf import QueueLimit, Rate
from procrastinate_tasks.jobs.descriptions import describe_task
from procrastinate_tasks.models import AuditEntry, QueueRule
from tests.integration.procrastinate_tasks.job_states import (
    MAKERS,
    TASK,
    make_failed_with_taken_lock,
    make_job,
    make_running,
    status_of,
)
from tests.integration.procrastinate_tasks.viewer.office import (
    OPERATOR,
    address,
    safe_to_repeat,
    staff_client,
)

pytestmark = pytest.mark.django_db

TOKEN = "0123456789"


@pytest.fixture(autouse=True)
def _safe_task(_nothing_registered: None) -> None:
    describe_task(TASK, safe_to_repeat())


def send(client: Client, **form: Any) -> Any:
    return client.post(address("queue_act"), {"token": TOKEN, **form})


def told(response: Any) -> list[str]:
    return [str(message) for message in get_messages(response.wsgi_request)]


# --- One click --------------------------------------------------------------------------------------------


def test_a_harmless_retry_takes_one_click_and_leads_back(operator: Client):
    job_id = make_job(status="failed")
    back = address("queue_jobs") + "?tab=failed&queue=sample"

    response = send(operator, do=f"retry:{job_id}", next=back)

    assert (response.status_code, response["Location"]) == (302, back)
    assert status_of(job_id) == "todo"
    assert told(response) == [f"job {job_id}: It waits again."]
    assert AuditEntry.objects.get().actor == "olga"


def test_a_double_click_acts_once_and_tells_the_same_twice(operator: Client):
    job_id = make_job(status="failed")

    responses = [send(operator, do=f"retry:{job_id}") for _ in range(2)]

    assert AuditEntry.objects.count() == 1
    assert [told(response)[-1] for response in responses] == [f"job {job_id}: It waits again."] * 2


def test_the_second_of_two_people_reads_why_not(operator: Client):
    job_id = make_job(status="failed")
    other = staff_client(*OPERATOR, name="otilia")

    send(operator, do=f"retry:{job_id}")
    response = send(other, do=f"retry:{job_id}")

    assert told(response) == [f"job {job_id}: It waits already."]
    assert list(AuditEntry.objects.order_by("id").values_list("outcome", flat=True)) == ["applied", "refused"]


@pytest.mark.parametrize("elsewhere", ["https://evil.example/", "//evil.example/", "javascript:alert(1)", ""])
def test_the_way_back_never_leads_elsewhere(operator: Client, elsewhere: str):
    job_id = make_job(status="failed")

    response = send(operator, do=f"retry:{job_id}", next=elsewhere)

    assert response["Location"] == address("queue_jobs")


# --- A look first -----------------------------------------------------------------------------------------


def test_a_cancellation_is_looked_at_first(operator: Client):
    job_id = make_job()

    response = send(operator, do=f"cancel:{job_id}")

    assert response["Location"].startswith(address("queue_confirm"))
    assert status_of(job_id) == "todo"
    page = operator.get(response["Location"])
    assert "Nothing has been done yet." in page.content.decode()

    send(operator, action="cancel", job=job_id, confirmed="yes")
    assert status_of(job_id) == "cancelled"


def test_a_look_changes_nothing(operator: Client):
    job_id = make_job()

    operator.get(address("queue_confirm"), {"action": "cancel", "job": str(job_id)})

    assert status_of(job_id) == "todo"
    assert not AuditEntry.objects.exists()


def test_a_retry_that_may_do_something_twice_is_looked_at_first(operator: Client):
    job_id = make_job(status="failed", task="sample.defer_itself")

    assert send(operator, do=f"retry:{job_id}")["Location"].startswith(address("queue_confirm"))
    assert status_of(job_id) == "failed"


def test_five_chosen_jobs_are_told_apart_before_and_after(operator: Client):
    jobs = [make_job(status="failed") for _ in range(3)]
    jobs += [make_failed_with_taken_lock(), make_running()]
    chosen: dict[str, Any] = {"action": "retry", "job": jobs, "next": "/admin/queue/jobs/?tab=failed"}

    looked = operator.get(address("queue_confirm"), chosen)
    response = send(operator, **chosen, confirmed="yes")
    result = operator.get(response["Location"])

    assert looked.context["dry_run"].possible == 3
    assert looked.context["dry_run"].left == 2
    assert len(result.context["report"].applied) == 3
    assert [target.refusal for target in result.context["report"].refused] == ["lock_taken", "runs"]
    assert "?tab=failed" in result.content.decode()
    assert [status_of(job_id) for job_id in jobs] == ["todo", "todo", "todo", "failed", "doing"]


def test_a_result_can_be_reloaded_and_is_one_s_own(operator: Client):
    jobs = [make_job(status="failed") for _ in range(2)]
    location = send(operator, action="retry", job=jobs, confirmed="yes")["Location"]

    assert [operator.get(location).status_code for _ in range(2)] == [200, 200]
    assert AuditEntry.objects.count() == 2
    assert staff_client("view_job").get(location).status_code == 404


# --- Money, and what cannot be undone -----------------------------------------------------------------------


@pytest.fixture
def money(monkeypatch: pytest.MonkeyPatch) -> None:
    describe_task("sample.defer_itself", safe_to_repeat(moves_money=True, describe=lambda calls: {}))


@pytest.mark.usefixtures("money")
def test_money_is_retried_with_a_reason_and_its_permission_only(operator: Client):
    job_id = make_job(status="failed", task="sample.defer_itself")
    cashier = staff_client(*OPERATOR, "retry_money_job", name="clara")
    form = {"action": "retry", "job": job_id, "confirmed": "yes"}

    assert send(operator, **form, reason="Because").status_code == 403
    assert "A reason is needed" in send(cashier, **form).content.decode()
    assert status_of(job_id) == "failed"

    send(cashier, **form, reason="The bank is back.")
    assert status_of(job_id) == "todo"
    assert AuditEntry.objects.latest("id").reason == "The bank is back."


def test_stopping_a_running_job_takes_its_number_and_a_reason(operator: Client):
    job_id = make_running()
    form = {"action": "abort", "job": job_id, "confirmed": "yes", "reason": "It hangs."}

    refused = [send(operator, **form), send(operator, **form, typed="2")]
    assert all("to confirm. Nothing was done." in response.content.decode() for response in refused)
    assert not AuditEntry.objects.exists()

    send(operator, **form, typed="1")
    assert AuditEntry.objects.get().outcome == "applied"


def test_what_was_written_is_still_there_when_something_is_missing(operator: Client):
    job_id = make_running()

    response = send(operator, action="abort", job=job_id, confirmed="yes", reason="It hangs.")

    assert "It hangs.</textarea>" in response.content.decode()


# --- Who may not --------------------------------------------------------------------------------------------


def form_of(action: Action, job_id: int) -> dict[str, Any]:
    form: dict[str, Any] = {"action": action.value, "confirmed": "yes", "reason": "x", "typed": "1"}
    if action in JOB_ACTIONS:
        return form | {"job": job_id}
    return form | ({"queue": "sample"} if action in QUEUE_ACTIONS else {"schedule": "sample"})


@pytest.mark.parametrize("action", [*JOB_ACTIONS, *QUEUE_ACTIONS, *SCHEDULE_ACTIONS])
def test_a_hand_made_form_without_permission_gives_403_and_an_audit_entry(viewer: Client, action: Action):
    job_id = make_job(status="failed")

    response = send(viewer, **form_of(action, job_id))

    assert response.status_code == 403
    entry = AuditEntry.objects.get()
    assert (entry.actor, entry.action, entry.outcome, entry.refusal) == (
        "vera",
        action,
        "refused",
        "not_permitted",
    )
    assert status_of(job_id) == "failed"


def test_who_was_refused_may_send_the_same_form_once_they_are_permitted():
    job_id = make_job(status="failed")
    client = staff_client("view_job", name="nora")
    assert send(client, do=f"retry:{job_id}").status_code == 403

    User.objects.get(username="nora").user_permissions.add(Permission.objects.get(codename="retry_job"))

    assert told(send(client, do=f"retry:{job_id}")) == [f"job {job_id}: It waits again."]
    assert list(AuditEntry.objects.order_by("id").values_list("outcome", flat=True)) == ["refused", "applied"]


def test_a_look_without_permission_gives_403_and_no_entry(viewer: Client):
    response = viewer.get(address("queue_confirm"), {"action": "retry", "job": str(make_job())})

    assert response.status_code == 403
    assert not AuditEntry.objects.exists()


def test_a_refusal_speaks_the_reader_s_language():
    client = staff_client("view_job", language="es-mx")

    response = send(client, action="retry", job=make_job())

    assert "no tiene el permiso" in response.content.decode()


def test_a_get_and_a_form_without_csrf_token_act_on_nothing(operator: Client):
    job_id = make_job(status="failed")
    strict = Client(enforce_csrf_checks=True)
    strict.cookies = operator.cookies

    assert operator.get(address("queue_act"), {"do": f"retry:{job_id}"}).status_code == 405
    assert strict.post(address("queue_act"), {"do": f"retry:{job_id}"}).status_code == 403
    assert status_of(job_id) == "failed"


# --- Never a 500 ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "form",
    [
        {},
        {"do": "retry"},
        {"do": "retry:x"},
        {"do": "explode:1"},
        {"do": "start_bulk:1"},
        {"action": "retry"},
        {"action": "retry", "job": ["x", ""]},
        {"action": "pause", "queue": ""},
        {"action": "retry", "job": list(range(1, 600))},
    ],
)
def test_a_form_that_asks_for_nothing_is_answered_with_what_to_do(operator: Client, form: dict[str, Any]):
    response = send(operator, **form)

    assert response.status_code == 400
    assert "Choose at least one job" in response.content.decode()


@pytest.mark.parametrize("state", list(MAKERS))
@pytest.mark.parametrize("action", JOB_ACTIONS)
def test_no_action_on_a_job_in_any_state_ends_in_an_error(operator: Client, action: Action, state: str):
    job_id = MAKERS[state]()

    looked = operator.get(address("queue_confirm"), {"action": action.value, "job": job_id})
    response = send(operator, **form_of(action, job_id))

    assert looked.status_code == 200
    assert response.status_code in (200, 302)


@pytest.mark.parametrize("number", ["0", "9" * 40])
def test_a_job_that_cannot_be_is_refused_politely(operator: Client, number: str):
    response = send(operator, action="retry", job=number, confirmed="yes")

    assert "There is no such job" in told(response)[0]


# --- Queues -------------------------------------------------------------------------------------------------


def test_a_queue_is_paused_after_a_look_and_resumed_by_one_click(operator: Client):
    looked = send(operator, action="pause", queue="sample")["Location"]
    assert "Running jobs will finish" in operator.get(looked).content.decode()

    send(operator, action="pause", queue="sample", confirmed="yes", reason="Maintenance")
    assert QueueRule.objects.get(queue_name="sample").paused_by == "olga"

    response = send(operator, action="resume", queue="sample", token="another")
    assert QueueRule.objects.get(queue_name="sample").paused_at is None
    assert told(response)[-1] == "queue sample: The queue runs again."


def test_limits_are_set_and_nonsense_is_refused(operator: Client):
    client = staff_client(*OPERATOR, "limit_queue", name="lola")

    limits = {"rate": "5", "rate_seconds": "30", "concurrency": "2"}
    send(client, action="limit", queue="sample", confirmed="yes", **limits)

    rule = QueueRule.objects.get(queue_name="sample")
    assert (rule.rate_limit, rule.rate_period, rule.concurrency_limit) == (5, timedelta(seconds=30), 2)
    refused = send(client, action="limit", queue="nowhere", confirmed="yes", rate="5")
    assert told(refused)[-1] == "queue nowhere: There is no such queue."


def test_a_rate_within_less_than_a_second_is_shown_and_kept(operator: Client):
    client = staff_client(*OPERATOR, "limit_queue", name="lola")
    act_on_queue(
        Action.LIMIT,
        queue="sample",
        actor=Actor(name="ana", user_id=None),
        limit=QueueLimit(rate=Rate(5, per=timedelta(seconds=0.5))),
    )

    page = client.get(address("queue_queues")).content.decode()
    assert "rate_seconds=0.5" in page
    form = {"action": "limit", "queue": "sample", "rate": "5", "rate_seconds": "0.5"}
    assert 'name="rate_seconds" min="0.01" step="any" value="0.5"' in (
        client.get(address("queue_confirm"), form).content.decode()
    )
    send(client, **form, confirmed="yes")

    assert QueueRule.objects.get(queue_name="sample").rate_period == timedelta(seconds=0.5)


@pytest.mark.parametrize(
    "limits", [{"rate": "0"}, {"rate": "many"}, {"rate": "5", "rate_seconds": "soon"}, {"concurrency": "0"}]
)
def test_a_limit_that_cannot_be_read_is_refused_and_lifts_none(operator: Client, limits: dict[str, str]):
    client = staff_client(*OPERATOR, "limit_queue", name="lola")
    send(client, action="limit", queue="sample", confirmed="yes", concurrency="2")

    refused = send(client, action="limit", queue="sample", confirmed="yes", token="another", **limits)

    assert "must be" in told(refused)[-1]
    assert QueueRule.objects.get(queue_name="sample").concurrency_limit == 2


def test_a_job_s_number_of_any_length_is_no_error(operator: Client):
    assert send(operator, action="cancel", job="9" * 5000).status_code == 302
