"""Which statements change a session beyond their transaction."""

from __future__ import annotations

import pytest

from procrastinate_tasks.worker.child.leftovers import _changes_session


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT set_config('lock_timeout', %s, true)",
        "SELECT set_config('lock_timeout', %(milliseconds)s::text, TRUE) AS lock_timeout",
        "SELECT set_config('a', concat('b', 'c'), true), set_config('d', 'true, false)', true)",
        "SET LOCAL statement_timeout = '30s'",
        "SELECT pg_advisory_xact_lock(1)",
        "UPDATE a SET b = 1",
    ],
)
def test_what_ends_with_its_transaction_leaves_a_session_as_it_was(sql: str):
    assert not _changes_session(sql)


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT set_config('search_path', 'nowhere', false)",
        "SELECT set_config('a', 'b', true), set_config('c', 'd', false)",
        "SELECT set_config('a', 'b, true)', false)",
        "/* why */ SET search_path = nowhere",
        "SELECT pg_advisory_lock(1)",
    ],
)
def test_what_outlives_its_transaction_changes_the_session(sql: str):
    assert _changes_session(sql)
