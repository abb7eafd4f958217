"""What projects tell of their jobs, and what is shown when they tell nothing or fail."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from django.contrib.auth.models import AnonymousUser, User
from django.db import DatabaseError, connection
from django.test.utils import CaptureQueriesContext

from procrastinate_tasks.actions.available_actions import AvailableAction, available_actions_for
from procrastinate_tasks.actions.policies import Action, Tier
from procrastinate_tasks.exceptions import PresentationTaken
from procrastinate_tasks.jobs import descriptions
from procrastinate_tasks.jobs.descriptions import (
    JobArgs,
    JobDescription,
    JobSearch,
    RetrySafety,
    TaskDescription,
    add_search,
    describe_task,
    descriptions_of,
    find_jobs_meant,
    title_of,
)
from procrastinate_tasks.models import Job
from tests.integration.procrastinate_tasks.job_states import TASK, make_job, make_running

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _nothing_registered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(descriptions, "_presentations", {})
    monkeypatch.setattr(descriptions, "_resolvers", [])


def jobs() -> list[Job]:
    return list(Job.objects.order_by("id"))


def tell_numbers(calls: Sequence[JobArgs]) -> Mapping[int, JobDescription]:
    return {call.id: JobDescription(sentence=f"Remembers {call.args['number']}") for call in calls}


def fail_in_the_database(calls: Sequence[JobArgs]) -> Mapping[int, JobDescription]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1 / 0")
    return {}


# --- Stories ----------------------------------------------------------------------------------------------


def test_a_task_is_asked_once_for_all_its_jobs():
    asked: list[int] = []

    def describe(calls: Sequence[JobArgs]) -> Mapping[int, JobDescription]:
        asked.append(len(calls))
        return tell_numbers(calls)

    describe_task(TASK, TaskDescription(title="Remember", describe=describe))
    for _ in range(3):
        make_job()

    descriptions = descriptions_of(jobs())

    assert asked == [3]
    assert {description.sentence for description in descriptions.values()} == {"Remembers 1"}


def test_a_task_that_nobody_presents_is_told_by_its_name():
    make_job()

    (description,) = descriptions_of(jobs()).values()

    assert (description.sentence, description.retry_safety) == (TASK, RetrySafety.UNKNOWN)


def test_a_presentation_that_fails_is_logged_and_breaks_neither_page_nor_transaction(
    caplog: pytest.LogCaptureFixture,
):
    describe_task(TASK, TaskDescription(title="Remember", describe=fail_in_the_database))
    make_job()

    (description,) = descriptions_of(jobs()).values()

    assert description.sentence == "Remember"
    assert "presentation failed" in caplog.text
    assert Job.objects.count() == 1


def test_a_job_that_a_presentation_leaves_out_is_told_by_its_title():
    describe_task(TASK, TaskDescription(title="Remember", describe=lambda calls: {}))
    make_job()

    assert [description.sentence for description in descriptions_of(jobs()).values()] == ["Remember"]


def test_a_task_is_presented_in_one_place_only():
    describe_task(TASK, TaskDescription(title="Remember", describe=tell_numbers))

    with pytest.raises(PresentationTaken, match=r"sample\.remember"):
        describe_task(TASK, TaskDescription(title="Again", describe=tell_numbers))
    assert title_of(TASK) == "Remember"


# --- Searching --------------------------------------------------------------------------------------------


def test_the_first_that_understands_a_term_answers_and_one_that_fails_is_passed_over():
    def fail(term: str) -> JobSearch | None:
        raise DatabaseError

    found = JobSearch(label="Booking RE-1", arguments={"booking_id": ("1",)})
    for resolver in (fail, lambda term: None, lambda term: found, lambda term: JobSearch(label="later")):
        add_search(resolver)

    assert find_jobs_meant("RE-1") is found


def test_a_term_that_nobody_understands_means_nothing():
    assert find_jobs_meant("RE-1") is None


# --- Offers -----------------------------------------------------------------------------------------------


def offers(job_id: int, user: Any, **options: Any) -> dict[Action, AvailableAction]:
    return {offer.action: offer for offer in available_actions_for([job_id], user=user, **options)[job_id]}


def test_an_action_that_is_not_possible_is_offered_with_its_reason():
    rosa = User.objects.create_superuser("rosa")

    offered = offers(make_running(), rosa)

    assert [action for action, offer in offered.items() if offer.is_possible] == [Action.ABORT]
    assert all(bool(offer.sentence) is not offer.is_possible for offer in offered.values())
    assert (offered[Action.ABORT].tier, offered[Action.ABORT].needs_reason) == (Tier.TYPED, True)


def test_who_may_do_nothing_is_permitted_nothing():
    assert not any(offer.is_permitted for offer in offers(make_job(), AnonymousUser()).values())


@pytest.mark.parametrize(
    ("safety", "tier"),
    [
        (RetrySafety.SAFE, Tier.BUTTON),
        (RetrySafety.SAFE_BY_KEY, Tier.BUTTON),
        (RetrySafety.UNSAFE, Tier.DRY_RUN),
        (RetrySafety.UNKNOWN, Tier.DRY_RUN),
    ],
)
def test_a_retry_that_is_not_known_to_be_safe_takes_a_dry_run(safety: RetrySafety, tier: Tier):
    job_id = make_job(status="failed")
    rosa = User.objects.create_superuser("rosa")

    assert offers(job_id, rosa, safety={job_id: safety})[Action.RETRY].tier is tier


def test_money_takes_a_dry_run_and_a_reason():
    describe_task(TASK, TaskDescription(title="Charge", describe=tell_numbers, moves_money=True))
    job_id = make_job(status="failed")
    rosa = User.objects.create_superuser("rosa")

    offer = offers(job_id, rosa, safety={job_id: RetrySafety.SAFE})[Action.RETRY]

    assert (offer.tier, offer.needs_reason) == (Tier.DRY_RUN, True)


def test_the_offers_of_a_page_of_jobs_take_one_statement():
    job_ids = [make_job() for _ in range(20)]
    rosa = User.objects.create_superuser("rosa")

    with CaptureQueriesContext(connection) as queries:
        available_actions_for(job_ids, user=rosa)

    assert len(queries) == 1
