"""A connection of the worker keeps its plans when it is its own, and not when a pooler hands it round."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from functools import partial
from typing import Any, LiteralString
from unittest.mock import PropertyMock, patch

import psycopg
import pytest
from django.db import connection
from psycopg.pq import TransactionStatus

from procrastinate_tasks.worker.connection import Query, WorkerConnection

pytestmark = pytest.mark.django_db(transaction=True)

WITHIN = timedelta(seconds=10)
KEPT_PLANS = """
    SELECT coalesce(sum(generic_plans), 0) FROM pg_prepared_statements WHERE statement LIKE 'SELECT $1 + 1%%'
"""


def ask(*, times: int) -> tuple[int, str]:
    """Run one statement so many times; return how often a kept plan served, and how plans are made."""

    async def run() -> tuple[int, str]:
        link = WorkerConnection(alias="default", purpose="test")
        try:
            for number in range(times):
                await link.fetch('SELECT %(number)s + 1 AS "the answer"', {"number": number}, within=WITHIN)
            kept = await link.fetch(KEPT_PLANS, {}, within=WITHIN)
            mode = await link.fetch("SELECT current_setting('plan_cache_mode')", {}, within=WITHIN)
        finally:
            await link.close()
        return int(kept[0][0]), mode[0][0]

    return asyncio.run(run())


def test_statements_are_planned_once():
    assert ask(times=5) == (5, "force_generic_plan")


def ask_together(*, times: int) -> None:
    query = Query("SELECT %(number)s + 1", {"number": 1})

    async def run() -> None:
        link = WorkerConnection(alias="default", purpose="test")
        try:
            for _ in range(times):
                await link.fetch_together(query, query, within=WITHIN)
        finally:
            await link.close()

    asyncio.run(run())


@contextmanager
def watched_statements() -> Iterator[list[object]]:
    """Note what is executed on a connection itself, past the cursors that answer questions."""
    statements: list[object] = []
    execute = psycopg.AsyncConnection.execute

    async def watched(self: Any, query: Any, *arguments: Any, **options: Any) -> Any:
        statements.append(query)
        return await execute(self, query, *arguments, **options)

    with patch.object(psycopg.AsyncConnection, "execute", watched):
        yield statements


@pytest.mark.parametrize(
    ("asking", "times_anew"),
    [
        (partial(ask, times=97), 1),  # it asks twice more
        (partial(ask, times=98), 2),
        (partial(ask_together, times=99), 1),
        (partial(ask_together, times=100), 2),
    ],
)
def test_plans_are_made_anew_after_a_while_since_tables_grow(asking: Callable[[], object], times_anew: int):
    with watched_statements() as statements:
        asking()

    assert statements.count("DISCARD PLANS") == times_anew


def test_the_name_of_a_long_host_is_as_long_as_the_server_keeps_it(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(socket, "gethostname", lambda: "h" * 100)

    assert fetch("SELECT length(current_setting('application_name'))") == [(63,)]


def test_behind_a_pooler_nothing_is_prepared_and_no_setting_is_left_behind():
    made_up = PropertyMock(return_value=0)

    with patch.object(psycopg.ConnectionInfo, "backend_pid", made_up), watched_statements() as statements:
        kept, mode = ask(times=98)

    assert (kept, mode) == (0, "auto")
    assert "DISCARD PLANS" not in statements


def test_a_connection_of_one_s_own_tells_the_process_id_that_the_server_tells():
    connection.ensure_connection()

    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        assert cursor.fetchone() == (connection.connection.info.backend_pid,)


def test_a_connection_whose_query_was_given_up_is_closed_and_the_next_query_opens_another():
    """The answer of the first would be read as that of the second."""

    async def run() -> tuple[bool, list[tuple[Any, ...]]]:
        link = WorkerConnection(alias="default", purpose="test")
        try:
            with pytest.raises(TimeoutError):
                await link.fetch("SELECT 1 FROM pg_sleep(60)", {}, within=timedelta(seconds=0.2))
            return link.is_open, await link.fetch("SELECT 2", {}, within=WITHIN)
        finally:
            await link.close()

    assert asyncio.run(run()) == (False, [(2,)])


def test_a_connection_that_somebody_closed_is_not_open_and_the_next_query_opens_another():
    async def run() -> tuple[bool, bool, list[tuple[Any, ...]]]:
        link = WorkerConnection(alias="default", purpose="test")
        async with link.connection(within=WITHIN) as inner:
            was_open = link.is_open
            await inner.close()
        is_open = link.is_open
        try:
            return was_open, is_open, await link.fetch("SELECT 2", {}, within=WITHIN)
        finally:
            await link.close()

    assert asyncio.run(run()) == (True, False, [(2,)])


def test_a_connection_is_closed_too_when_whoever_asked_is_cancelled_in_between():
    async def run() -> bool:
        link = WorkerConnection(alias="default", purpose="test")
        try:
            await link.open()
            asking = asyncio.create_task(link.fetch("SELECT 1 FROM pg_sleep(60)", {}, within=WITHIN))
            await asyncio.wait([asking], timeout=0.2)
            asking.cancel()
            await asyncio.wait([asking])
            return link.is_open
        finally:
            await link.close()

    assert asyncio.run(run()) is False


def test_a_statement_that_is_refused_for_its_values_costs_no_connection():
    async def run() -> bool:
        link = WorkerConnection(alias="default", purpose="test")
        try:
            with pytest.raises(psycopg.errors.DivisionByZero):
                await link.fetch("SELECT 1 / 0", {}, within=WITHIN)
            return link.is_open
        finally:
            await link.close()

    assert asyncio.run(run()) is True


def test_what_a_role_sets_for_its_transactions_ends_no_statement_of_a_worker(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("PGOPTIONS", "-c transaction_timeout=150ms")

    assert fetch("SELECT 'done' FROM pg_sleep(0.5)") == [("done",)]


@pytest.fixture
def assumed_role() -> Iterator[str]:
    role = "in whose name a project works"
    options = connection.settings_dict["OPTIONS"]
    with connection.cursor() as cursor:
        cursor.execute(f'CREATE ROLE "{role}"')
        options["assume_role"] = role
        yield role
        del options["assume_role"]
        cursor.execute(f'DROP ROLE "{role}"')


def test_a_worker_s_own_connections_assume_the_role_that_the_settings_name(assumed_role: str):
    assert fetch("SELECT current_user") == [(assumed_role,)]


def test_a_role_that_cannot_be_assumed_leaves_no_connection_without_it(assumed_role: str):
    async def run() -> bool:
        link = WorkerConnection(alias="default", purpose="test")
        try:
            with pytest.raises(psycopg.Error):
                await link.open()
            return link.is_open
        finally:
            await link.close()

    connection.settings_dict["OPTIONS"]["assume_role"] = "nobody's"

    assert asyncio.run(run()) is False


def fetch(sql: LiteralString) -> list[tuple[Any, ...]]:
    """Ask once on a connection of its own."""

    async def run() -> list[tuple[Any, ...]]:
        link = WorkerConnection(alias="default", purpose="test")
        try:
            return await link.fetch(sql, {}, within=WITHIN)
        finally:
            await link.close()

    return asyncio.run(run())


def test_each_statement_is_final_and_leaves_no_transaction_open():
    async def run() -> TransactionStatus:
        link = WorkerConnection(alias="default", purpose="test")
        try:
            await link.fetch("SELECT 1", {}, within=WITHIN)
            async with link.connection(within=WITHIN) as inner:
                return inner.info.transaction_status
        finally:
            await link.close()

    assert asyncio.run(run()) is TransactionStatus.IDLE
