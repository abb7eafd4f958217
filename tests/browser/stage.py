"""What the browser visits: a house with a past, a queue in every state, and staff of every group."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TypeVar

from django.conf import settings
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
from django.contrib.auth.models import User
from django.contrib.sessions.backends.db import SessionStore
from django.contrib.staticfiles.handlers import StaticFilesHandler
from django.core.management import call_command
from django.db import connection, connections
from django.test.testcases import LiveServerThread

from procrastinate_tasks.monitoring import rollup

T = TypeVar("T")

# What migrations and Django itself write once; everything else is swept away after the visitors have left.
_KEPT = (
    "auth_group",
    "auth_group_permissions",
    "auth_permission",
    "django_content_type",
    "django_migrations",
)


_LIVE_ON = """
UPDATE procrastinate_workers SET last_heartbeat = now() + interval '1 hour'
WHERE last_heartbeat > now() - interval '30 s'
"""

# Six digits are wider than three, and put links elsewhere: pages must hold with a queue's numbers of later.
_NUMBER_AS_LATER = """
SELECT setval(sequence, greatest(nextval(sequence), 142000))
FROM (SELECT pg_get_serial_sequence('procrastinate_jobs', 'id')::regclass AS sequence) AS jobs
"""


@contextmanager
def open_site() -> Iterator[str]:
    """Serve the site on a free port of this machine, and yield its address."""
    thread = LiveServerThread("127.0.0.1", StaticFilesHandler)
    thread.daemon = True
    thread.start()
    thread.is_ready.wait()
    if thread.error:
        raise thread.error
    try:
        yield f"http://127.0.0.1:{thread.port}"
    finally:
        thread.terminate()
        connections.close_all()


def fill_the_queue(*, count: int = 400) -> None:
    """Seed jobs in every state, as ``manage.py seed_jobs`` does; its workers live as long as the visit.

    What has ended is rolled up for the charts, which a worker would do within minutes.
    """
    with connection.cursor() as cursor:
        cursor.execute(_NUMBER_AS_LATER)
    call_command("seed_jobs", "--force", count=count, locks=50, days=2, stdout=_Nowhere(), stderr=_Nowhere())
    with connection.cursor() as cursor:
        cursor.execute(_LIVE_ON)
    while rollup.run_once().has_more:
        pass


def sign_in(user: User) -> str:
    """Return the key of a session of this user's."""
    session = SessionStore()
    session[SESSION_KEY] = str(user.pk)
    session[BACKEND_SESSION_KEY] = settings.AUTHENTICATION_BACKENDS[-1]  # the first only counts attempts
    session[HASH_SESSION_KEY] = user.get_session_auth_hash()
    session.create()
    assert session.session_key is not None
    return session.session_key


def ask(question: Callable[[], T]) -> T:
    """Ask the database something while a browser is open, in a thread without its event loop."""

    def answer() -> T:
        try:
            return question()
        finally:
            connection.close()

    with ThreadPoolExecutor(max_workers=1) as thread:
        return thread.submit(answer).result()


def sweep() -> None:
    """Empty every table that visitors and their house have filled."""
    call_command("seed_jobs", "--clear", "--force", stdout=_Nowhere(), stderr=_Nowhere())
    with connection.cursor() as cursor:
        tables = set(connection.introspection.table_names(cursor)) - set(_KEPT)
        names = ", ".join(connection.ops.quote_name(table) for table in sorted(tables))
        cursor.execute(f"TRUNCATE {names} CASCADE")


class _Nowhere:
    def write(self, text: str) -> int:
        return len(text)
