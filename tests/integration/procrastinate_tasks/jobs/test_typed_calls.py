"""A call with a wrong name or type is refused in one sentence when it runs; mypy reads the same table."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from uuid import UUID

import pytest
from asgiref.sync import async_to_sync
from procrastinate.contrib.django.models import ProcrastinateJob

from procrastinate_tasks import Call, InvalidTaskArguments, defer
from procrastinate_tasks.testing import assert_enqueued
from tests.typing import right_calls
from tests.typing.shop_tasks import Size, charge, send_receipt
from tests.typing.wrong_calls import ACCEPTED, WRONG

pytestmark = pytest.mark.django_db

SENTENCE = 200


def test_the_table_has_forty_wrong_calls():
    assert len(WRONG) >= 40


@pytest.mark.parametrize("call", WRONG, ids=range(len(WRONG)))
def test_a_wrong_call_is_refused_in_one_sentence(call: Callable[[], object]):
    with pytest.raises((AttributeError, InvalidTaskArguments, TypeError)) as refusal:
        call()

    assert "\n" not in str(refusal.value)
    assert len(str(refusal.value)) < SENTENCE
    assert not ProcrastinateJob.objects.exists()


def test_a_sentence_names_the_task_the_argument_and_what_it_takes():
    with pytest.raises(InvalidTaskArguments) as refusal:
        defer("typing.charge", {"amount": "secret", "due": 1, "at": 1, "key": 1, "size": 1})

    assert str(refusal.value) == "typing.charge: amount takes a Decimal, not this str"


@pytest.mark.parametrize(
    ("call", "hint"),
    [
        (lambda: send_receipt.delay(7), r"no attribute 'delay'. Here it is defer\(…\)\.$"),  # type: ignore[attr-defined]
        (lambda: send_receipt.apply_async((7,)), r"Here it is using\(…\)\.defer\(…\)\.$"),  # type: ignore[attr-defined]
        (lambda: send_receipt.dely(7), r"no attribute 'dely'\.$"),  # type: ignore[attr-defined]
        (lambda: defer(1), r"by its name, not by this int\. With the task itself"),  # type: ignore[arg-type]
    ],
)
def test_what_newcomers_try_first_is_answered_with_what_there_is(call: Callable[[], object], hint: str):
    with pytest.raises((AttributeError, TypeError), match=hint):
        call()


def test_an_option_that_there_is_not_is_refused_with_the_nearest():
    with pytest.raises(TypeError, match=r"no option 'shedule_in'\. Did you mean schedule_in\?"):
        send_receipt.using(shedule_in=timedelta(1))  # type: ignore[call-arg]


def test_every_documented_way_makes_a_job():
    ids = right_calls.defer_each()

    assert None not in ids
    assert ProcrastinateJob.objects.count() == len(ids) + 3 + 3 + 1


@pytest.mark.django_db(transaction=True)
def test_and_so_from_asynchronous_code():
    ids = async_to_sync(right_calls.defer_each_async)()

    assert ProcrastinateJob.objects.filter(id__in=ids).count() == 3


def test_calling_a_task_runs_it_here():
    assert right_calls.call_each() == "7 ana@example.com 17 "


@pytest.mark.parametrize("call", ACCEPTED)
def test_what_json_has_for_a_value_is_that_value(call: Callable[[], object]):
    call()

    assert ProcrastinateJob.objects.get().args["size"] == "s"


def test_an_argument_travels_as_its_annotation_says():
    noon = datetime(2031, 5, 1, 12, tzinfo=UTC)
    charge.defer(Decimal("1.50"), date(2031, 5, 1), noon, UUID(int=7), size=Size.LARGE)

    assert ProcrastinateJob.objects.get().args == {
        "amount": "1.50",
        "due": "2031-05-01",
        "at": "2031-05-01T12:00:00+00:00",
        "key": "00000000-0000-0000-0000-000000000007",
        "size": "l",
    }
    assert_enqueued("typing.charge", {"amount": Decimal("1.50"), "size": Size.LARGE})
    assert_enqueued(charge, {"amount": "1.50"})


@pytest.mark.parametrize("value", [datetime(2031, 5, 1, tzinfo=UTC), Decimal("NaN"), "x", 1, None])
def test_a_date_is_no_datetime_and_nothing_else(value: object):
    good = {"amount": "1", "at": "2031-05-01T12:00:00+00:00", "key": str(UUID(int=7)), "size": "s"}

    with pytest.raises(InvalidTaskArguments, match="due takes a date"):
        defer("typing.charge", {**good, "due": value})


def test_options_that_contradict_each_other_are_refused():
    noon = datetime(2031, 5, 1, 12, tzinfo=UTC)
    hour = timedelta(hours=1)
    for options in (
        {"schedule_at": noon, "schedule_in": hour},
        {"expires_at": noon, "expires_in": hour},
        {"schedule_in": hour, "expires_in": hour},
        {"unique_for": timedelta(0)},
        {"unique_key": "x"},
        {"unique_for": hour, "queueing_lock": "x"},
        {"expires_at": datetime(2031, 5, 1)},  # noqa: DTZ001
    ):
        with pytest.raises(ValueError, match=r"^[A-Za-z_ ,:]+\.?$|^[^\n]{10,120}$"):
            Call({}, **options)
