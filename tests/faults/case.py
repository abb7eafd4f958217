"""A fault the house is held against, and where the tests of most of them live."""

from __future__ import annotations

from dataclasses import dataclass

PAYMENTS = "tests/integration/payments"
BOOKINGS = "tests/integration/bookings"
QUEUE = "tests/integration/procrastinate_tasks"
REAL = "tests/acceptance"
WORKER = "tests/acceptance/procrastinate_tasks/worker"
HERE = "tests/faults"
DEATHS = "tests/faults/test_points.py::test_a_death_at_each_point_costs_no_peso"
ANSWERS = "tests/faults/test_points.py::test_each_call_may_be_answered_badly"
KILLED = f"{REAL}/test_charged_exactly_once.py::test_a_worker_killed_at_any_step_charges_each_balance_once"


@dataclass(frozen=True, slots=True)
class Case:
    """A fault, where it strikes, what must hold then, and the tests that say whether it does.

    Attributes:
        nothing: why there is nothing to strike here; then there are no tests.
        note: where what is tested is smaller than what the case asks for, or built otherwise.
        is_everywhere: a death at any point is one of this case.
    """

    id: str
    fault: str
    where: str
    holds: str
    tests: tuple[str, ...] = ()
    nothing: str = ""
    note: str = ""
    is_everywhere: bool = False
