"""Whether this process can connect to its databases: the queue's and Django's default one.

A worker's own sessions may live on while its job processes are refused: the role has a new password, the
plan's connections are used up, a name cannot be resolved. That is nobody's attempt.
"""

from __future__ import annotations

from collections.abc import Iterator
from types import TracebackType

import psycopg
from django.db import DEFAULT_DB_ALIAS, InterfaceError, OperationalError, connections
from django.db.backends.base.base import BaseDatabaseWrapper
from procrastinate.contrib.django.settings import settings as procrastinate_settings

from procrastinate_tasks.jobs.values import text_of

_REFUSALS = (OperationalError, InterfaceError, psycopg.OperationalError, psycopg.InterfaceError)
_MOST_CAUSES = 20
_LONGEST_REASON = 300


def look_for_refusal() -> str:
    """Asks each of our databases on this thread's connection; returns why one refused, else nothing."""
    for alias in sorted(_our_aliases() & set(connections)):
        try:
            with connections[alias].cursor() as cursor:
                cursor.execute("SELECT 1")
        except _REFUSALS as error:
            connections[alias].close()
            return _in_one_line(error)
    return ""


def refusal_behind(error: BaseException) -> str:
    """Says why one of our databases refused a connection, if that is what led to an error; else nothing.

    What a task connects to by other means, or to another of the project's databases, is its own matter.
    """
    for cause in _causes(error):
        if isinstance(cause, _REFUSALS) and _came_of_connecting(cause.__traceback__):
            return _in_one_line(cause)
    return ""


def _our_aliases() -> set[str]:
    return {procrastinate_settings.DATABASE_ALIAS, DEFAULT_DB_ALIAS}


def _causes(error: BaseException) -> Iterator[BaseException]:
    cause: BaseException | None = error
    for _ in range(_MOST_CAUSES):
        if cause is None:
            return
        yield cause
        # Not by their truth: an error's class may say anything, or raise, when it is asked for that.
        if cause.__cause__ is not None or cause.__suppress_context__:
            cause = cause.__cause__
        else:
            cause = cause.__context__


def _came_of_connecting(tb: TracebackType | None) -> bool:
    """Whether the error was raised while Django connected to one of our databases."""
    while tb is not None:
        code, wrapper = tb.tb_frame.f_code, tb.tb_frame.f_locals.get("self")
        if code.co_name == "connect" and isinstance(wrapper, BaseDatabaseWrapper):
            return wrapper.alias in _our_aliases()
        tb = tb.tb_next
    return False


def _in_one_line(error: BaseException) -> str:
    text = " ".join(text_of(error).replace("\0", "").split())
    return (text or type(error).__qualname__)[:_LONGEST_REASON]
