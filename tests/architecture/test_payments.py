"""Rules of payments that an import cannot break."""

from __future__ import annotations

import ast
from pathlib import Path

from procrastinate.contrib.django import app

from payments.deferred_jobs import DEFERRED_BY_NAME
from procrastinate_tasks.jobs.deferring import find_task
from tests.architecture.source import REPOSITORY, parse, product_files

# Who may assign a state: the rows of money in one file, and the two rows that are no money in theirs.
WRITERS_OF_STATE = {
    "payments/ledger/locking.py": {"attempt", "payment"},
    "payments/ledger/refunds.py": {"refund"},
    "payments/ledger/disputes.py": {"dispute"},
    "payments/protocols/stripe_event.py": {"event"},
    "bookings/services.py": {"booking"},
    "bookings/date_changes.py": {"change"},
}

FROZEN_TASK_NAMES = {
    "bookings.tasks.mark_expired_bookings",
    "bookings.tasks.mark_expired_holds",
    "payments.tasks.announce_arrivals",
    "payments.tasks.announce_balances",
    "payments.tasks.apply_stripe_event",
    "payments.tasks.charge_balance_for_booking",
    "payments.tasks.charge_payment",
    "payments.tasks.defer_unfinished_work",
    "payments.tasks.end_unpaid_change",
    "payments.tasks.end_unpaid_hold",
    "payments.tasks.fetch_missed_events",
    "payments.tasks.look_at_payment_page",
    "payments.tasks.reconcile_with_stripe",
    "payments.tasks.refund_payment",
    "payments.tasks.check_invariants",
    "payments.tasks.resolve_unfinished_payments",
    "payments.tasks.scan_and_charge_balances",
    "payments.tasks.send_access_link",
    "payments.tasks.send_guest_email",
    "payments.tasks.settle_cancellation",
}


def _is_sandbox(path: Path) -> bool:
    return "local_stripe" in path.parts


def _assigned_states(tree: ast.Module) -> set[str]:
    """Return the names of the variables whose ``state`` or ``status`` is assigned."""
    targets = [
        target
        for node in ast.walk(tree)
        if isinstance(node, ast.Assign | ast.AnnAssign | ast.AugAssign)
        for each in (node.targets if isinstance(node, ast.Assign) else [node.target])
        for target in (each.elts if isinstance(each, ast.Tuple | ast.List) else [each])
    ]
    return {
        ast.unparse(target.value)
        for target in targets
        if isinstance(target, ast.Attribute) and target.attr in {"state", "status"}
        if ast.unparse(target.value) != "self"
    }


def test_only_the_ledger_assigns_a_state_of_money():
    writers = {
        str(path.relative_to(REPOSITORY)): names
        for path in product_files()
        if path.is_relative_to(REPOSITORY / "payments") or path.is_relative_to(REPOSITORY / "bookings")
        if not _is_sandbox(path) and (names := _assigned_states(parse(path)))
    }

    assert writers == WRITERS_OF_STATE


def test_no_state_of_money_is_written_past_its_row():
    offenders = [
        f"{path.relative_to(REPOSITORY)}:{node.lineno}"
        for path in product_files()
        if path.is_relative_to(REPOSITORY / "payments") and not _is_sandbox(path)
        for node in ast.walk(parse(path))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)
        if node.func.attr in {"update", "create", "bulk_create", "bulk_update"}
        if {keyword.arg for keyword in node.keywords} & {"state", "status"}
    ]

    assert offenders == []


def test_the_names_of_the_tasks_are_frozen_because_jobs_that_wait_carry_them():
    registered = {name for name in app.tasks if name.split(".")[0] in {"payments", "bookings"}}

    hint = (
        "A name goes only once no job waits for it. A new task is added here; its app's job_descriptions.py "
        "says its title and whether it may run twice, its locale the same in Spanish."
    )
    assert registered == FROZEN_TASK_NAMES, hint


def test_every_task_that_is_deferred_by_name_exists():
    found = {find_task(name).name for name in DEFERRED_BY_NAME}

    assert found == set(DEFERRED_BY_NAME)
