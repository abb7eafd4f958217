"""The storm: two hosts under constant load, faults as planned, then calm, and the evidence."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from tests.workers.postgres import Server
from tests.workers.storm.evidence import Evidence, gather_evidence
from tests.workers.storm.faults import Faults, Strike
from tests.workers.storm.fleet import LEDGER, Fleet
from tests.workers.storm.load import Load
from tests.workers.storm.plan import PlannedFault
from tests.workers.workers import granted, wait_for

_TICK = 0.02
_CALM_SECONDS = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Aftermath:
    """What a storm left; times on the monotonic clock."""

    began_at: float
    load_ended_at: float
    calm_at: float
    strikes: list[Strike]
    evidence: Evidence


def run_storm(
    *,
    server: Server,
    plan: list[PlannedFault],
    seed: int,
    seconds: float,
    directory: Path,
    tell: Callable[[str], object] = lambda line: None,
) -> Aftermath:
    """Runs a storm of this length, and longer if faults waited for their victims.

    Args:
        directory: an empty one, for the ledger and the workers' logs.
        tell: called with a line about every tenth of the storm.
    """
    with ExitStack() as stack:
        fleet = Fleet(stack, directory=directory, database_url=server.url)
        wait_for(lambda: fleet.is_up)
        load = Load(server.url)
        stack.callback(load.close)
        faults = Faults(plan, fleet=fleet, server=server, seed=seed)
        began_at = time.monotonic()
        _rage(fleet=fleet, load=load, faults=faults, until=began_at + seconds, tell=tell)
        load_ended_at = time.monotonic()
        calm_at = _calm_down(fleet, load)
    evidence = gather_evidence(
        server=server,
        ledger=directory / LEDGER,
        ordered=load.ordered,
        most_narrow_at_a_time=load.most_narrow_at_a_time,
    )
    return Aftermath(
        began_at=began_at,
        load_ended_at=load_ended_at,
        calm_at=calm_at,
        strikes=faults.strikes,
        evidence=evidence,
    )


def _rage(*, fleet: Fleet, load: Load, faults: Faults, until: float, tell: Callable[[str], object]) -> None:
    pace = (until - time.monotonic()) / 10
    tell_at = time.monotonic() + pace
    while time.monotonic() < until or not faults.are_over:
        fleet.tend()
        load.order_if_due()
        faults.strike_if_due()
        if time.monotonic() >= tell_at:
            tell(f"{len(faults.strikes)} faults, {len(load.ordered)} jobs ordered, {load.unfinished} wait")
            tell_at += pace
        time.sleep(_TICK)


def _calm_down(fleet: Fleet, load: Load) -> float:
    """Waits until nothing is left to do, or so long that something must be stuck; the verdict says what."""
    fleet.wake()
    load.settle_doubts()
    deadline = time.monotonic() + granted(_CALM_SECONDS)
    load.look()
    while load.unfinished and time.monotonic() < deadline:
        fleet.tend()
        time.sleep(0.1)
        load.look()
    return time.monotonic()
