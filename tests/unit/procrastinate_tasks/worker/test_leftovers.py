"""Which statements change a session beyond their transaction."""

from __future__ import annotations

import pytest

from procrastinate_tasks.worker.child.leftovers import _CHANGED, _IN_DOUBT, _SOUND, _doubt_after


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT set_config('lock_timeout', %s, true)",
        "SELECT set_config('lock_timeout', %(milliseconds)s::text, TRUE) AS lock_timeout",
        "SELECT set_config('a', concat('b', 'c'), true), set_config('d', 'true, false)', true)",
        "SET LOCAL statement_timeout = '30s'",
        "SELECT pg_advisory_xact_lock(1)",
        "UPDATE a SET b = 1",
        "SELECT 1;\n",
    ],
)
def test_what_ends_with_its_transaction_leaves_a_session_as_it_was(sql: str):
    assert _doubt_after(sql) == _SOUND


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT set_config('search_path', 'nowhere', false)",
        "SELECT set_config('a', 'b', true), set_config('c', 'd', false)",
        "SELECT set_config('a', 'b, true)', false)",
        "/* why */ SET search_path = nowhere",
        "SELECT pg_advisory_lock(1)",
        "SELECT Pg_Try_Advisory_Lock_Shared(1)",
        "SELECT 1 AS id INTO TEMPORARY auth_group",
    ],
)
def test_what_outlives_its_transaction_changes_the_session(sql: str):
    assert _doubt_after(sql) == _CHANGED


@pytest.mark.parametrize(
    "sql", ["DO $$ BEGIN SET role = other; END $$", "-- why\nCALL change()", "SELECT 1; SET role = other"]
)
def test_of_what_runs_code_nobody_knows_what_it_did(sql: str):
    assert _doubt_after(sql) == _IN_DOUBT
