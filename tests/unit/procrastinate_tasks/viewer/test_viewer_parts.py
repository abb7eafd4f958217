"""The viewer's parts that need no database: steps, arguments, states, forms, tables."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlencode

import pytest
from django.http import QueryDict
from django.utils import translation

from procrastinate_tasks.actions.policies import Action
from procrastinate_tasks.actions.reports import ActionRequest, Actor
from procrastinate_tasks.conf import QueueLimit, Rate
from procrastinate_tasks.formatting import Amount, amount_in_words, short_error
from procrastinate_tasks.jobs.states import STATE_LABELS, JobState, job_state
from procrastinate_tasks.models import TargetType
from procrastinate_tasks.queries.filters import JobFilter, read_filter
from procrastinate_tasks.queries.job import Event, steps_of
from procrastinate_tasks.queries.tabs import TAB_LABELS, Tab
from procrastinate_tasks.viewer.forms import ActionForm
from procrastinate_tasks.viewer.job_rows import show_arguments
from procrastinate_tasks.viewer.rendering import stream_csv

NOON = datetime(2026, 11, 2, 18, tzinfo=UTC)


def happened(*events: tuple[str, float]) -> list[Event]:
    return [Event(type=name, at=NOON + timedelta(seconds=seconds)) for name, seconds in events]


@pytest.fixture(autouse=True)
def in_english():
    with translation.override("en"):
        yield


# --- Steps ------------------------------------------------------------------------------------------------


@translation.override("en")
def test_steps_tell_waits_and_runs_between_events():
    steps = steps_of(
        happened(
            ("deferred", 0),
            ("scheduled", 3600),
            ("started", 3),
            ("deferred_for_retry", 4.5),
            ("started", 34.5),
            ("succeeded", 40.5),
        )
    )

    assert [step.lasted for step in steps] == ["", "", "waited 3 s", "ran 1.5 s", "waited 30 s", "ran 6 s"]
    assert [step.run for step in steps] == [0, 0, 1, 0, 2, 0]


@translation.override("en")
def test_clocks_that_disagree_give_no_negative_wait():
    assert steps_of(happened(("deferred", 5), ("started", 3)))[1].lasted == "waited 0 ms"


def test_an_event_of_a_later_release_is_told_by_its_name():
    assert steps_of(happened(("teleported", 0)))[0].label == "teleported"


# --- States -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "state"),
    [
        ({}, JobState.READY),
        ({"is_blocked": True}, JobState.BLOCKED),
        ({"is_blocked": True, "is_paused": True}, JobState.PAUSED),
        ({"is_due": False, "is_paused": True}, JobState.SCHEDULED),
        ({"is_due": False, "attempts": 1}, JobState.RETRYING),
        ({"status": "doing"}, JobState.ORPHANED),
        ({"status": "doing", "worker_is_alive": True}, JobState.RUNNING),
        ({"status": "failed"}, JobState.FAILED),
        ({"status": "succeeded", "is_blocked": True, "is_paused": True}, JobState.SUCCEEDED),
        ({"status": "aborting"}, JobState.ABORTED),
    ],
)
def test_a_job_s_state_is_told_by_what_comes_first(changes: dict[str, Any], state: JobState):
    usual: dict[str, Any] = {"status": "todo", "attempts": 0, "is_due": True, "worker_is_alive": False}

    assert job_state(**usual | changes) is state


def test_each_state_and_each_tab_has_a_word():
    assert set(STATE_LABELS) == set(JobState)
    assert set(TAB_LABELS) == set(Tab)


# --- Arguments, errors and money --------------------------------------------------------------------------


def test_secrets_among_arguments_are_dots_at_every_depth():
    shown = show_arguments({"booking_id": 7, "Api_Token": "abc", "nested": [{"card_number": "4242"}]})

    assert "abc" not in shown
    assert "4242" not in shown
    assert '"booking_id": 7' in shown


@pytest.mark.parametrize(
    ("name", "is_hidden"),
    [
        *(
            (name, True)
            for name in ("key", "apiKey", "API_KEY", "pwd", "db_pwd", "CLABE", "iban", "pin", "NIP")
        ),
        *((name, False) for name in ("keyboard", "shipping", "monkey", "passenger", "spin", "booking_id")),
    ],
)
def test_short_names_of_secrets_count_as_words_only(name: str, is_hidden: bool):
    assert ("4711" not in show_arguments({name: "4711"})) == is_hidden


def test_an_error_is_one_short_line():
    assert short_error("payments.exceptions.Declined", "no\nmoney") == "Declined: no"
    assert len(short_error("a.B", "x" * 500)) == 80
    assert short_error("", "") == ""


@pytest.mark.parametrize(
    ("amount", "words"),
    [
        (Amount(minor=373520, currency="mxn"), "$3,735.20 MXN"),
        (Amount(minor=-5, currency="MXN"), "−$0.05 MXN"),
        (Amount(minor=1500, currency="JPY"), "1,500 JPY"),
    ],
)
def test_money_is_written_in_units_of_its_currency(amount: Amount, words: str):
    assert amount_in_words(amount) == words


# --- What a form asks for ---------------------------------------------------------------------------------


ANA = Actor(name="ana")


def asked_for(query: str) -> ActionRequest:
    form = ActionForm(QueryDict(query))
    assert form.is_valid()
    return form.request_by(ANA)


@pytest.mark.parametrize("query", ["do=retry:7", "action=retry&job=7", "do=retry:7&action=abort&job=8"])
def test_a_button_and_a_form_ask_for_the_same(query: str):
    asked = asked_for(query)

    assert (asked.action, asked.job_ids, asked.expected_text) == (Action.RETRY, (7,), "1")


def test_jobs_are_asked_for_once_each_and_nonsense_is_left_out():
    assert asked_for("action=cancel&job=7&job=7&job=x&job=²&job=-3").job_ids == (7,)


@pytest.mark.parametrize("value", ["many", "-1", "1e400", "nan", "9" * 5000, "½"])
@pytest.mark.parametrize(
    ("field", "limit"),
    [
        ("rate", QueueLimit(rate=Rate(0, per=timedelta(minutes=1)))),
        ("concurrency", QueueLimit(concurrency=0)),
    ],
)
def test_a_limit_that_is_no_number_is_a_limit_still(field: str, limit: QueueLimit, value: str):
    assert asked_for(urlencode({"action": "limit", "queue": "q", field: value})).limit == limit


def test_the_same_form_of_the_same_person_is_one_deed():
    first, again, other = (asked_for(f"do=retry:7&token={token}") for token in ("form-1", "form-1", "form-2"))

    assert first.group == again.group != other.group
    assert asked_for("do=retry:7").group != asked_for("do=retry:7").group


def test_a_queue_is_confirmed_by_its_name():
    asked = asked_for("action=pause&queue=payments")

    assert (asked.target_type, asked.targets, asked.expected_text) == (
        TargetType.QUEUE,
        ("payments",),
        "payments",
    )


@pytest.mark.parametrize(
    "query", ["", "action=retry", "action=pause&job=7", "action=start_bulk&job=7", "do=:7"]
)
def test_what_cannot_be_done_is_nothing(query: str):
    assert not ActionForm(QueryDict(query)).is_valid()


# --- Addresses and tables ---------------------------------------------------------------------------------


def test_a_filter_comes_back_from_its_own_address():
    chosen = JobFilter(tab="failed", q="RE-1 & co", queue="payments", period="24h", about="booking_id:7")

    assert read_filter(QueryDict(chosen.address().removeprefix("?"))) == chosen


def test_unknown_choices_count_as_none():
    assert read_filter(QueryDict("tab=x&kind=y&period=z")) == JobFilter()


def test_a_cell_that_looks_like_a_formula_is_quoted():
    response = stream_csv(["a", "b"], [["=1+1", "x"], ["-2", 'say "no"']], name="t")

    table = b"".join(response.streaming_content).decode()  # type: ignore[arg-type]
    assert table == '\ufeffa,b\r\n\'=1+1,x\r\n\'-2,"say ""no"""\r\n'
