"""The protocols, each lived once from a hold to its end; each returns what must be true of the bank then.

A scenario may be interrupted anywhere: guests ask again, workers are followed by others.
"""

from __future__ import annotations

from collections.abc import Callable

from tests.faults import scenarios_of_charges, scenarios_of_refunds, scenarios_of_stays
from tests.faults.guests import Verdict
from tests.faults.life import Life

SCENARIOS: dict[str, Callable[[Life], Verdict]] = {
    scenario.__name__: scenario
    for scenario in (
        *scenarios_of_charges.SCENARIOS,
        *scenarios_of_stays.SCENARIOS,
        *scenarios_of_refunds.SCENARIOS,
    )
}
