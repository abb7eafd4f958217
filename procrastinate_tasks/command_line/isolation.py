"""A block in which nothing leaves this process and nothing stays in a database.

What it cannot hold back: files and caches of this machine that are written, numbers taken from a sequence,
what a database does outside of transactions (``dblink``, ``COPY … TO PROGRAM``), and calls to the network of
libraries in C that Python does not see, other than psycopg's.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from django.conf import settings
from django.core import mail
from django.db import connections, transaction
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.signals import connection_created

from procrastinate_tasks.exceptions import QueueError

# What Python tells of itself before it does it, see ``sys.addaudithook``.
_LEAVES = frozenset(
    {
        "socket.connect",
        "socket.getaddrinfo",
        "socket.gethostbyname",
        "socket.sendto",
        "subprocess.Popen",
        "os.system",
        "os.exec",
        "os.fork",
        "os.forkpty",
        "os.posix_spawn",
        "os.kill",
        "os.killpg",
    }
)
_ENDS_TRANSACTION = re.compile(
    r"(?:^|;)(?:\s|/\*.*?\*/|--[^\n]*\n)*+(?:COMMIT|END|ABORT|ROLLBACK(?!\s+(?:WORK\s+|TRANSACTION\s+)?TO\b)"
    r"|PREPARE\s+TRANSACTION|BEGIN|START\s+TRANSACTION)\b",
    re.IGNORECASE | re.DOTALL,
)
_MAIL = "django.core.mail.backends.locmem.EmailBackend"


class RefusedInReplay(QueueError):
    """A job that is replayed tried to reach something that could not be undone."""

    def __init__(self, what: str) -> None:
        self.what = what
        super().__init__(f"Refused in a replay, which must leave no trace: {what}")


@dataclass(slots=True)
class Isolation:
    """What was held back."""

    refused: list[str] = field(default_factory=list)
    mails: int = 0

    def refuse(self, what: str) -> RefusedInReplay:
        self.refused.append(what)
        return RefusedInReplay(what)


_now: list[Isolation] = []


@contextmanager
def isolated() -> Iterator[Isolation]:
    """Refuse network, processes and new database connections, keep mail, and undo what is written."""
    isolation = Isolation()
    _watch_python()
    with ExitStack() as stack:
        for alias in connections:
            stack.enter_context(_undone(connections[alias], isolation))
        stack.enter_context(_mail_kept(isolation))
        connection_created.connect(_refuse_connection)
        stack.callback(connection_created.disconnect, _refuse_connection)
        _now.append(isolation)
        stack.callback(_now.clear)
        yield isolation


@contextmanager
def _undone(connection: BaseDatabaseWrapper, isolation: Isolation) -> Iterator[None]:
    def watch(execute: Callable[..., Any], sql: Any, params: Any, many: bool, context: dict[str, Any]) -> Any:
        if _ENDS_TRANSACTION.search(str(sql)):
            raise isolation.refuse("a statement that ends the transaction")
        return execute(sql, params, many, context)

    with transaction.atomic(using=connection.alias), connection.execute_wrapper(watch):
        try:
            yield
        finally:
            transaction.set_rollback(True, using=connection.alias)


@contextmanager
def _mail_kept(isolation: Isolation) -> Iterator[None]:
    name, kept = _setting_that_keeps_mail()
    usual, before = getattr(settings, name), getattr(mail, "outbox", None)
    setattr(settings, name, kept)
    mail.outbox = []
    try:
        yield
    finally:
        isolation.mails = len(mail.outbox)
        setattr(settings, name, usual)
        mail.outbox = [] if before is None else before


def _setting_that_keeps_mail() -> tuple[str, object]:
    """Return the setting that tells how mail is sent, and a value with which it stays here.

    Django 6.1 and later go by ``MAILERS`` where a project has them; the older setting is not there then.
    """
    mailers = getattr(settings, "MAILERS", None) if hasattr(mail, "mailers") else None
    if mailers is None:
        return "EMAIL_BACKEND", _MAIL
    return "MAILERS", {alias: {"BACKEND": _MAIL} for alias in mailers}


def _refuse_connection(*, connection: BaseDatabaseWrapper, **_: Any) -> None:
    """Another connection has a transaction of its own, which nobody would undo."""
    connection.close()
    if _now:
        raise _now[-1].refuse("another database connection")


@cache
def _watch_python() -> None:
    """Such a hook stays for the life of the process; it refuses only while something is isolated."""
    sys.addaudithook(_refuse_leaving)


def _refuse_leaving(event: str, _arguments: tuple[Any, ...]) -> None:
    if event in _LEAVES and _now:
        raise _now[-1].refuse(event)
