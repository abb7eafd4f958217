"""Two checkouts of the project, rolled to and fro under load with kills: no job pays for a deploy."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.workers.deploys.__main__ import roll
from tests.workers.deploys.verdict import judge
from tests.workers.postgres import own_server
from tests.workers.storm.fleet import LEDGER

pytestmark = pytest.mark.slow  # make deploys is the long form; run it with -m slow


def test_two_rolling_deploys_with_kills_cost_no_job(tmp_path: Path):
    with own_server() as server:
        rolled = roll(server, tmp_path, deploys=2, kills=2, seed=7)
        verdict = judge(server, tmp_path / LEDGER)

    assert verdict.complaints == []
    assert len(rolled.arrivals) == 2
    assert len(rolled.kills) == 4
