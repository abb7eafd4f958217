"""How each task of either release notes its run."""

from __future__ import annotations

import time

from procrastinate.job_context import JobContext

from tests.workers.storm.ledger import noted_run

# Long enough for a kill or a stop to meet some of them.
_WORK_SECONDS = 0.05


def work(context: JobContext, key: int) -> str:
    """Notes a run in the ledger, and returns its id."""
    assert context.job.id is not None
    with noted_run(job_id=context.job.id, key=key) as run_id:
        time.sleep(_WORK_SECONDS)
    return run_id
