"""One answer, one clash loop: how every room asks the database."""

from __future__ import annotations

import asyncio

import psycopg
import pytest
from django.db import connection
from django.db.backends.postgresql.base import Cursor, ServerBindingCursor
from django.test.utils import CaptureQueriesContext
from procrastinate.contrib.django.models import ProcrastinateJob
from procrastinate.exceptions import UniqueViolation

from procrastinate_tasks.database import (
    MOST_CLASHES,
    Question,
    ask_together,
    execute,
    fetch_row,
    fetch_rows,
    retry_clash,
    retry_clash_async,
)
from tests.integration.procrastinate_tasks import sample_tasks

pytestmark = pytest.mark.django_db

WITH_A_LOCK = """
INSERT INTO procrastinate_jobs (queue_name, task_name, queueing_lock)
VALUES ('sample', 'sample.remember', 'one')
"""


@pytest.mark.parametrize(("cursor", "ways"), [(Cursor, 1), (ServerBindingCursor, 3)])
def test_what_is_asked_together_is_answered_in_order_whatever_each_is_asked_with(
    monkeypatch: pytest.MonkeyPatch, cursor: type, ways: int
):
    connection.ensure_connection()
    monkeypatch.setattr(connection.connection, "cursor_factory", cursor)
    said = "%(said)s::text AS said, '100 %%' AS share -- ; %(said)s"
    words = Question(sql=f"SELECT {said}", read=lambda rows: rows[0], parameters={"said": "a';--\\"})
    none = Question(sql="SELECT 1 AS one WHERE false", read=len)
    late = Question(sql="SELECT timestamptz 'infinity' AS at", read=lambda rows: rows[0]["at"].year)

    with CaptureQueriesContext(connection) as taken:
        answers = ask_together(words, none, late)

    assert answers == [{"said": "a';--\\", "share": "100 %"}, 0, 9999]
    assert len(taken) == ways


def test_a_change_that_met_another_is_made_once_more_and_the_transaction_stays_usable():
    sample_tasks.remember.configure(queueing_lock="one").defer(number=1)
    tries: list[int] = []

    def change() -> int:
        tries.append(len(tries))
        if len(tries) == 1:
            execute(WITH_A_LOCK)
        return fetch_row("SELECT 7 AS answer")["answer"]  # type: ignore[no-any-return]

    assert retry_clash(change) == 7
    assert tries == [0, 1]
    assert ProcrastinateJob.objects.count() == 1


def test_a_change_that_meets_others_for_ever_is_given_up():
    sample_tasks.remember.configure(queueing_lock="one").defer(number=1)
    tries: list[int] = []

    def change() -> None:
        tries.append(len(tries))
        execute(WITH_A_LOCK)

    with pytest.raises(UniqueViolation):
        retry_clash(change)

    assert len(tries) == MOST_CLASHES + 1
    assert fetch_rows("SELECT 1 AS answer") == [{"answer": 1}]


@pytest.mark.parametrize(("clashes", "is_given_up"), [(MOST_CLASHES, False), (MOST_CLASHES + 1, True)])
def test_a_worker_s_statement_is_sent_again_as_often(clashes: int, is_given_up: bool):
    tries: list[int] = []

    async def change() -> int:
        tries.append(len(tries))
        if len(tries) <= clashes:
            raise psycopg.errors.UniqueViolation
        return len(tries)

    if is_given_up:
        with pytest.raises(psycopg.errors.UniqueViolation):
            asyncio.run(retry_clash_async(change))
    else:
        assert asyncio.run(retry_clash_async(change)) == clashes + 1


@pytest.mark.parametrize("count", [0, 2])
def test_one_row_is_one_row(count: int):
    with pytest.raises(ValueError, match="values to unpack"):
        fetch_row("SELECT generate_series(1, %(count)s::integer) AS place", count=count)
