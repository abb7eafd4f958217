"""Which tests stand nearest to a module: they are the ones that have to notice its faults."""

from __future__ import annotations

import ast
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[2]

_UNIT = "tests/unit/procrastinate_tasks"
_WITH_DATABASE = "tests/integration/procrastinate_tasks"
_PAYMENTS = "tests/integration/payments"
_CHARGES = (
    f"{_PAYMENTS}/test_charge.py",
    f"{_PAYMENTS}/test_charge_faults.py",
    f"{_PAYMENTS}/test_page_faults.py",
    f"{_PAYMENTS}/test_last_look.py",
    f"{_PAYMENTS}/test_memory.py",
    f"{_PAYMENTS}/test_unreadable_answers.py",
    f"{_PAYMENTS}/test_confirm_keys.py",
    f"{_PAYMENTS}/test_deposit.py",
    f"{_PAYMENTS}/test_cancellation.py",
    f"{_PAYMENTS}/test_payment_link.py",
    f"{_PAYMENTS}/test_stripe_events.py",
)
_REFUNDS = (
    f"{_PAYMENTS}/test_refunds.py",
    f"{_PAYMENTS}/test_refunds_by_hand.py",
    f"{_PAYMENTS}/test_returned_refunds.py",
    f"{_PAYMENTS}/test_cancellation.py",
)

# By the name that `make mutants ARGS=` takes, the folder of the queue app left out.
NEAREST_TESTS: dict[str, tuple[str, ...]] = {
    "jobs/policies": (f"{_UNIT}/test_policies.py", f"{_UNIT}/jobs"),
    "schedule/policies": (f"{_UNIT}/test_policies.py",),
    "queues/policies": (f"{_UNIT}/queues",),
    "jobs/recording": (
        f"{_UNIT}/test_refusals.py",
        f"{_WITH_DATABASE}/jobs/test_recording.py",
        f"{_WITH_DATABASE}/jobs/test_rescue.py",
    ),
    "jobs/rescue": (
        f"{_UNIT}/jobs/test_decide_loss.py",
        f"{_WITH_DATABASE}/jobs/test_rescue.py",
    ),
    "worker/claim_loop": (
        f"{_UNIT}/worker/test_claim_loop.py",
        f"{_WITH_DATABASE}/test_lock_order.py",
        f"{_WITH_DATABASE}/test_releases.py",
        f"{_WITH_DATABASE}/queues",
        f"{_WITH_DATABASE}/test_plans.py",
    ),
    "worker/completion_loop": (
        f"{_UNIT}/test_refusals.py",
        f"{_WITH_DATABASE}/worker/test_completion_loop.py",
    ),
    "worker/connection": (f"{_WITH_DATABASE}/worker/test_links.py",),
    "worker/drain": ("tests/acceptance/procrastinate_tasks/worker/test_stopping.py",),
    "worker/heartbeat": (
        f"{_UNIT}/worker/test_heartbeat.py",
        f"{_WITH_DATABASE}/worker/test_heartbeat.py",
    ),
    "worker/losses": (f"{_UNIT}/worker/test_losses.py",),
    "payments/policies": ("tests/unit/payments",),
    "payments/webhook_signature": ("tests/unit/payments/test_webhook_signature.py",),
    "payments/webhooks": (f"{_PAYMENTS}/test_webhook_view.py", f"{_PAYMENTS}/test_inbox.py"),
    "payments/driver": _CHARGES,
    "payments/ledger/claims": (f"{_PAYMENTS}/test_claims.py",),
    "payments/ledger/disputes": (f"{_PAYMENTS}/test_disputes.py",),
    "payments/ledger/last_look": (f"{_PAYMENTS}/test_permission.py",),
    "payments/ledger/locking": (f"{_PAYMENTS}/test_locking.py", f"{_PAYMENTS}/test_claims.py"),
    "payments/ledger/looks": (f"{_PAYMENTS}/test_looks.py",),
    "payments/ledger/outcomes": (f"{_PAYMENTS}/test_outcomes.py",),
    "payments/ledger/refunds": _REFUNDS,
    "payments/protocols/cancellation": (f"{_PAYMENTS}/test_cancellation.py",),
    "payments/protocols/charge": (f"{_PAYMENTS}/test_charge.py", f"{_PAYMENTS}/test_dunning.py"),
    "payments/protocols/janitor": _CHARGES,
    "payments/protocols/scan": (f"{_PAYMENTS}/test_scan.py",),
    "payments/protocols/stripe_event": (f"{_PAYMENTS}/test_stripe_events.py", f"{_PAYMENTS}/test_inbox.py"),
}


def files_of(name: str) -> list[Path]:
    """Return a target's files, relative to the project: its module, and the SQL statements that it names."""
    module = Path(name if name.startswith("payments/") else f"procrastinate_tasks/{name}").with_suffix(".py")
    words = {
        node.value
        for node in ast.walk(ast.parse((PROJECT / module).read_bytes()))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }
    statements = sorted((PROJECT / module.parts[0]).glob("**/sql/*.sql"))
    return [
        module,
        *(each.relative_to(PROJECT) for each in statements if f"{each.parts[-3]}/{each.stem}" in words),
    ]
