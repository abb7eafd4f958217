"""Half a minute of every kind of fault: no job is lost, stuck or finished twice; ``make soak`` is longer."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from tests.workers.postgres import own_server
from tests.workers.storm.plan import FaultKind, doses_for, plan_faults
from tests.workers.storm.storm import run_storm
from tests.workers.storm.verdict import judge

SEED = 2026
SECONDS = 30.0


def test_every_job_is_finished_exactly_once_through_faults_of_every_kind(tmp_path: Path):
    plan = plan_faults(seed=SEED, seconds=SECONDS, doses=doses_for(SECONDS))

    with own_server() as server:
        aftermath = run_storm(server=server, plan=plan, seed=SEED, seconds=SECONDS, directory=tmp_path)

    assert Counter(strike.kind for strike in aftermath.strikes) == Counter(FaultKind)
    assert len(aftermath.evidence.jobs) > 100
    assert judge(aftermath.evidence).complaints() == []
