"""How the queue app asks the database: the SQL of its rooms, one connection, the clock, clashes, faults."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from itertools import count
from pathlib import Path
from typing import Any, Generic, LiteralString, TypeVar

import psycopg
from django.db import Error, InterfaceError, OperationalError, transaction
from procrastinate.contrib.django.django_connector import DjangoConnector, wrap_exceptions
from procrastinate.contrib.django.settings import settings as procrastinate_settings
from procrastinate.exceptions import ConnectorException, UniqueViolation
from psycopg.abc import Buffer, Loader
from psycopg.adapt import AdaptersMap
from psycopg.pq import Format

_HERE = Path(__file__).parent
_NOW = "SELECT clock_timestamp() AS now"
# A day from either end of Python's years, so that every time zone can show them.
_FIRST_INSTANT = datetime(1, 1, 2, tzinfo=UTC)
_LAST_INSTANT = datetime(9999, 12, 30, tzinfo=UTC)

MOST_CLASHES = 5

# What a question to the database may end with: Django's word for a fault, or Procrastinate's around it.
DATABASE_FAULTS = (Error, ConnectorException)
_CANNOT_BE_ASKED = (OperationalError, InterfaceError, psycopg.OperationalError, psycopg.InterfaceError)
# A refused connection has no SQLSTATE; libpq only passes the server's words on.
_ALL_TAKEN = ("connection slots are reserved", "too many clients already", "too many connections for")
_QUERY_CANCELLED = "57014"
_LOCK_NOT_AVAILABLE = "55P03"
# Who reads waits no longer for whoever rebuilds or alters a table, so that pages and probes say that he does.
_WAIT_FOR_TABLES = "SELECT set_config('lock_timeout', '3s', true)"

# Rules on which many statements must agree, each put in where its name stands: ``{{is_alive}}``, or
# ``{{is_alive at clock.now}}`` where a statement has a clock of its own.
_SHARED: dict[str, LiteralString] = {
    # The worker of this row lives; so it says itself, or the settings say it for one of Procrastinate's own.
    "is_alive": """coalesce(
    worker.last_heartbeat >= {now} - coalesce(live.orphaned_after, %(orphaned_after)s::interval), false
)""",
    # A due job is held back by people: with its queue, whose rule this is, or with its task.
    "is_paused": """(
    rule.paused_at IS NOT NULL
    OR job.task_name = ANY(ARRAY(SELECT pause.task_name FROM procrastinate_tasks_taskpause AS pause))
)""",
    # The tasks that a worker knows, its parameter's keys, without those that are paused.
    "open_tasks": """(
    SELECT %(tasks)s::jsonb - coalesce(array_agg(pause.task_name::text), '{}')
    FROM procrastinate_tasks_taskpause AS pause
)""",
    # Two CTEs, ``free_queue`` and ``locked_queue``: the queues with jobs that wait for no time, without a
    # lock and with one, each found by one step in an index.
    "ready_queues": ",\n".join(
        """{kind}_queue AS (
    (
        SELECT queue_name FROM procrastinate_jobs
        WHERE status = 'todo' AND scheduled_at IS NULL AND lock IS {none}
        ORDER BY queue_name
        LIMIT 1
    )
    UNION ALL
    SELECT (
        SELECT job.queue_name FROM procrastinate_jobs AS job
        WHERE job.status = 'todo'
          AND job.scheduled_at IS NULL
          AND job.lock IS {none}
          AND job.queue_name > {kind}_queue.queue_name
        ORDER BY job.queue_name
        LIMIT 1
    )
    FROM {kind}_queue
    WHERE {kind}_queue.queue_name IS NOT NULL
)""".replace("{kind}", kind).replace("{none}", none)
        for kind, none in (("free", "NULL"), ("locked", "NOT NULL"))
    ),
    # The job has no lock, or no other with its lock runs, or is due and comes before it. Each kind of other
    # has an index of its own, which answers at once.
    "is_next_of_its_lock": """(
    job.lock IS NULL
    OR NOT EXISTS (
        SELECT FROM procrastinate_jobs AS other WHERE other.lock = job.lock AND other.status = 'doing'
    )
    AND NOT EXISTS (
        SELECT FROM procrastinate_jobs AS other
        WHERE other.lock = job.lock
          AND other.status = 'todo'
          AND other.scheduled_at IS NULL
          AND (-other.priority, other.id) < (-job.priority, job.id)
    )
    AND NOT EXISTS (
        SELECT FROM procrastinate_jobs AS other
        WHERE other.lock = job.lock
          AND other.status = 'todo'
          AND other.scheduled_at <= now()
          AND (-other.priority, other.id) < (-job.priority, job.id)
    )
)""",
    # The due job waits for the other one with its lock, as the claim has it.
    "is_blocked": """(
    other.lock = job.lock
    AND other.id <> job.id
    AND other.status IN ('todo', 'doing')
    AND (
        other.status = 'doing'
        OR (
            (other.scheduled_at IS NULL OR other.scheduled_at <= {now})
            AND (other.priority, -other.id) > (job.priority, -job.id)
        )
    )
)""",
}
_SHARED_NAME = re.compile(r"{{(\w+)(?: at ([^{}]+))?}}")

T = TypeVar("T")


@cache
def statement(name: str) -> LiteralString:
    """Return the SQL of ``<room>/sql/<file>.sql``, with the rules it shares with others.

    Args:
        name: room and file, as in ``jobs/defer_jobs``.
    """
    room, file = name.split("/")
    return with_shared_rules((_HERE / room / "sql" / f"{file}.sql").read_text(encoding="utf-8"))


def with_shared_rules(sql: LiteralString) -> LiteralString:
    """Put the rules in that SQL names in double braces."""
    return _SHARED_NAME.sub(lambda found: _SHARED[found[1]].replace("{now}", found[2] or "now()"), sql)


# --- On Django's connection -------------------------------------------------------------------------------


def database_alias() -> str:
    alias: str = procrastinate_settings.DATABASE_ALIAS
    return alias


def atomic() -> transaction.Atomic:
    """Return a transaction, or a savepoint inside one, of the queue's database."""
    return transaction.atomic(using=database_alias())


def in_transaction() -> bool:
    """Return whether what is done now becomes final later."""
    in_block: bool = transaction.get_connection(using=database_alias()).in_atomic_block
    return in_block


def fetch_rows(sql: LiteralString, **parameters: object) -> list[dict[str, Any]]:
    return _connector().execute_query_all(sql, **parameters)


def fetch_row(sql: LiteralString, **parameters: object) -> dict[str, Any]:
    """Return the one row that a statement answers."""
    (row,) = fetch_rows(sql, **parameters)
    return row


@dataclass(frozen=True, slots=True, kw_only=True)
class Question(Generic[T]):
    """A statement, and how its rows are read once all that is asked with it has been answered."""

    sql: LiteralString
    read: Callable[[list[dict[str, Any]]], T]
    parameters: Mapping[str, object] = field(default_factory=dict)


def ask(question: Question[T]) -> T:
    """Return the answer to one question."""
    return question.read(fetch_rows(question.sql, **question.parameters))


def ask_together(*questions: Question[Any]) -> list[Any]:
    """Return the answers to many questions, in their order, that take one way to the database and back."""
    answers = _connector().execute_together(questions)
    return [question.read(rows) for question, rows in zip(questions, answers, strict=True)]


def execute(sql: LiteralString, **parameters: object) -> None:
    _connector().execute_query(sql, **parameters)


def database_now() -> datetime:
    """Return the time by the clock that every process shares."""
    now: datetime = fetch_row(_NOW)["now"]
    return now


class _Connector(DjangoConnector):
    """Reads every instant: one that only Postgres knows, in any column, ends no question about other rows."""

    @wrap_exceptions()
    def execute_query_all(self, query: LiteralString, **arguments: Any) -> list[dict[str, Any]]:
        with self.connection.cursor() as cursor:
            _read_any_instant(cursor.adapters)  # the cursor's own, not the connection's
            cursor.execute(query, self._wrap_json(arguments))
            return list(self._dictfetch(cursor))

    @wrap_exceptions()
    def execute_together(self, questions: Sequence[Question[Any]]) -> list[list[dict[str, Any]]]:
        with self.connection.cursor() as cursor:
            if not hasattr(cursor, "mogrify"):  # a server that binds parameters takes one statement at a time
                return [self.execute_query_all(each.sql, **each.parameters) for each in questions]
            _read_any_instant(cursor.adapters)
            bound = [cursor.mogrify(each.sql, self._wrap_json({**each.parameters})) for each in questions]
            is_own_transaction = not self.connection.in_atomic_block  # that of the statements sent together
            cursor.execute("\n;\n".join([_WAIT_FOR_TABLES, *bound] if is_own_transaction else bound))
            if is_own_transaction:
                cursor.nextset()
            answers = [list(self._dictfetch(cursor))]
            while cursor.nextset():
                answers.append(list(self._dictfetch(cursor)))
            return answers


def _read_any_instant(adapters: AdaptersMap) -> None:
    usual = adapters.get_loader(adapters.types["timestamptz"].oid, Format.TEXT)
    if usual is not None:
        adapters.register_loader("timestamptz", _reader_of_any_instant(usual))


@cache
def _reader_of_any_instant(usual: type[Loader]) -> type[Loader]:
    """Return a loader that brings instants into the years that Python has, as ``readable_v1`` does in SQL."""

    class AnyInstant(usual):  # type: ignore[valid-type, misc]
        def load(self, data: Buffer) -> datetime:
            try:
                instant: datetime = super().load(data)
            except (psycopg.DataError, OverflowError):
                text = bytes(data)
                is_early = text.startswith(b"-") or text.endswith(b"BC")
                return _FIRST_INSTANT if is_early else _LAST_INSTANT
            return instant

    return AnyInstant


def _connector() -> _Connector:
    return _Connector(alias=database_alias())


# --- Faults -----------------------------------------------------------------------------------------------


def are_connections_taken(error: BaseException) -> bool:
    """Tell whether there was no connection to be had because others hold all."""
    return any(words in str(error) for words in _ALL_TAKEN)


def is_table_locked(error: BaseException) -> bool:
    """Tell whether somebody holds what was asked for: a table that is rebuilt or altered."""
    return _sqlstate_of(error) == _LOCK_NOT_AVAILABLE


def in_one_line(fault: BaseException) -> str:
    """Return a fault as the database tells it; Procrastinate's word around it says nothing."""
    return " ".join(str(fault.__cause__ or fault).split()) or type(fault).__name__


def is_away(error: BaseException) -> bool:
    """Tell whether the database could not be asked at all: whoever comes again may be answered."""
    if not isinstance(_word_inside(error), _CANNOT_BE_ASKED):
        return False
    sqlstate = _sqlstate_of(error)
    is_passing = sqlstate is None or sqlstate[:2] in ("08", "53", "57") or sqlstate == _LOCK_NOT_AVAILABLE
    return is_passing and sqlstate != _QUERY_CANCELLED


def _word_inside(error: BaseException) -> BaseException:
    """Return what Procrastinate has put its own word around: Django's, or psycopg's."""
    return error.__cause__ or error if isinstance(error, ConnectorException) else error


def _sqlstate_of(error: BaseException) -> str | None:
    fault = _word_inside(error)
    return getattr(fault, "sqlstate", None) or getattr(fault.__cause__, "sqlstate", None)


# --- Clashes ----------------------------------------------------------------------------------------------


def retry_clash(change: Callable[[], T]) -> T:
    """Change something in a transaction; once more when another change met it on a unique index.

    The other is committed by then, and can be seen.

    Raises:
        UniqueViolation: it met others more than ``MOST_CLASHES`` times.
    """
    for clash in count():
        try:
            with atomic():
                return change()
        except UniqueViolation:
            if clash == MOST_CLASHES:
                raise
    raise AssertionError("unreachable")


async def retry_clash_async(change: Callable[[], Awaitable[T]]) -> T:
    """Do as ``retry_clash`` does, on a connection of a worker's own: each statement is a transaction.

    Raises:
        psycopg.errors.UniqueViolation: it met others more than ``MOST_CLASHES`` times.
    """
    for clash in count():
        try:
            return await change()
        except psycopg.errors.UniqueViolation:
            if clash == MOST_CLASHES:
                raise
    raise AssertionError("unreachable")
