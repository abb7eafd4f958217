"""What a job left on its database connections is undone, so that the next one begins on a clean session.

Nothing here asks the database: the client knows the state of a transaction, and a statement that changes its
session is known by its words. So a job that used no database pays nothing, and a sound one microseconds.

A session that server code may have changed is closed without a word.

What it does not see: statements on psycopg's own connection, what a function changes that a query calls, and
connections of threads that the job started.
"""

from __future__ import annotations

import logging
import re
import threading
from collections.abc import Callable
from typing import Any

import psycopg
from django.db import connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.signals import connection_created
from psycopg.pq import TransactionStatus

from procrastinate_tasks.worker.child.slots import Slot, current_slot

logger = logging.getLogger(__name__)

_STATES = {
    TransactionStatus.ACTIVE: "a running statement",
    TransactionStatus.INTRANS: "an open transaction",
    TransactionStatus.INERROR: "a failed transaction",
}
# How a statement begins, in lower case, that changes its session beyond its transaction, and what else does.
_BEGINNING = r"(?:\s|/\*.*?\*/|--[^\n]*\n)*+"
_CHANGES_SESSION = re.compile(
    _BEGINNING + r"(?:set\s+(?!local\b|transaction\b|constraints\b)|reset\b|listen\b|prepare\b"
    r"|declare\b.*\bwith\s+hold\b|create\s+(?:(?:local|global)\s+)?temp)",
    re.DOTALL,
)
_SESSION_WORDS = ("set_config", "pg_advisory_lock", "pg_try_advisory_lock", "into temp")
# With true as its third argument it ends with its transaction, as SET LOCAL does.
_SETS_LOCALLY = re.compile(r"set_config\s*\((?:[^()']|'[^']*'|\([^()]*\))*,\s*true\s*\)")
# What may do anything out of our sight: code on the server, and statements behind another.
_RUNS_CODE = re.compile(_BEGINNING + r"(?:do|call|execute|discard|load)\b", re.DOTALL)
_WATCHED = "_procrastinate_tasks_session"
_SOUND, _IN_DOUBT, _CHANGED = range(3)
_TRAITS = "_procrastinate_tasks_traits"


def watch_connections() -> None:
    """Has each slot remember the connections its jobs open, in whichever thread they do.

    To be called after ``prepare_sessions``, whose own statements make a session what it should be.
    """
    connection_created.connect(_remember_connection)


def _remember_connection(*, connection: BaseDatabaseWrapper, **_: Any) -> None:
    if (slot := current_slot.get()) is not None:
        slot.connections.add(connection)
    if _watch not in connection.execute_wrappers:
        connection.execute_wrappers.append(_watch)
    setattr(connection, _WATCHED, _SOUND)
    setattr(connection, _TRAITS, _traits_of(connection.connection))


def _traits_of(connection: Any) -> tuple[object, ...]:
    """What a program can set on psycopg's connection, and the transactions after it would have."""
    names = ("isolation_level", "read_only", "deferrable", "row_factory")
    return tuple(getattr(connection, name, None) for name in names)


def adopt_connections(slot: Slot) -> None:
    """Have a slot know the connections of this thread that were opened between jobs."""
    slot.connections.update(connections.all(initialized_only=True))


def undo_leftovers(slot: Slot, *, task_name: str) -> str:
    """Close the connections that a job left changed, and say in words what it left; "" for nothing."""
    if not slot.connections:
        return ""
    found = sorted({left for each in list(slot.connections) if (left := _undo(slot, each))})
    if not found:
        return ""
    left = " and ".join(found)
    logger.warning("%s left behind: %s; undone", task_name, left, extra={"event": "job_left_behind"})
    return f"(left behind: {left}; undone)"


def _watch(execute: Callable[..., Any], sql: Any, params: Any, many: bool, context: dict[str, Any]) -> Any:
    doubt = _doubt_after(sql)
    if doubt:
        connection = context["connection"]
        setattr(connection, _WATCHED, max(doubt, vars(connection).get(_WATCHED, _SOUND)))
    return execute(sql, params, many, context)


def _doubt_after(sql: object) -> int:
    """What a statement makes of its session."""
    text = (sql if isinstance(sql, str) else str(sql)).lower()
    if _CHANGES_SESSION.match(text) is not None:
        return _CHANGED
    inner = _SETS_LOCALLY.sub("", text) if "set_config" in text else text
    if any(word in inner for word in _SESSION_WORDS):
        return _CHANGED
    is_more_than_one = ";" in text and ";" in text.rstrip("; \n\t")
    return _IN_DOUBT if is_more_than_one or _RUNS_CODE.match(text) is not None else _SOUND


def _undo(slot: Slot, wrapper: BaseDatabaseWrapper) -> str:
    """Close a connection unless it is as it was opened; the wrapper opens another when it is used."""
    connection = wrapper.connection
    if connection is None:
        slot.connections.discard(wrapper)
        _forget_block(wrapper)
        return ""
    if not isinstance(connection, psycopg.Connection):
        return ""
    left = "" if connection.closed else _what_is_left(wrapper, connection)
    if left or connection.closed or vars(wrapper).get(_WATCHED, _SOUND):
        _close(wrapper, connection)
    return left


def _what_is_left(wrapper: BaseDatabaseWrapper, connection: psycopg.Connection[Any]) -> str:
    status = connection.info.transaction_status
    if status in _STATES:
        return _STATES[status]
    if wrapper.in_atomic_block:
        return "an open atomic block"
    if wrapper.autocommit != wrapper.settings_dict["AUTOCOMMIT"]:
        return "autocommit switched"
    if getattr(wrapper, _TRAITS, None) != _traits_of(connection):
        return "a changed connection"
    return "a changed session" if vars(wrapper).get(_WATCHED) == _CHANGED else ""


def _close(wrapper: BaseDatabaseWrapper, connection: psycopg.Connection[Any]) -> None:
    """Close a connection, unless a thread that the job left behind is just using it."""
    is_own = wrapper._thread_ident == threading.get_ident()  # type: ignore[attr-defined]
    if not is_own and not connection.lock.acquire(blocking=False):
        return
    try:
        connection.close()
        if (pool := getattr(wrapper, "pool", None)) is not None:
            pool.putconn(connection)  # which sees that it is closed, and opens another
    finally:
        if not is_own:
            connection.lock.release()
    wrapper.connection = None
    _forget_block(wrapper)


def _forget_block(wrapper: BaseDatabaseWrapper) -> None:
    """Let a wrapper connect anew: it would refuse to inside a block that nobody will leave."""
    wrapper.closed_in_transaction = False
    wrapper.in_atomic_block = False
    wrapper.run_on_commit = []
