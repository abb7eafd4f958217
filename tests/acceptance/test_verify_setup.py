"""Promise: a set-up with a living worker and Stripe in reach passes its verification, down to a real job."""

from __future__ import annotations

import json
from io import StringIO

from django.core.management import call_command

from tests.acceptance.live_house import LiveHouse
from tests.workers.workers import query, wait_for


def test_a_sound_set_up_passes_and_a_worker_has_run_the_job(live_house: LiveHouse):
    output = StringIO()

    with live_house.worker():
        wait_for(lambda: query("SELECT 1 FROM procrastinate_tasks_liveworker"))
        call_command("verify_setup", "--json", "--job-timeout", "60", stdout=output)

    verdicts = {check["check"]: check["level"] for check in json.loads(output.getvalue())["checks"]}
    assert {name for name, level in verdicts.items() if level not in ("ok", "warning")} == set()
    assert verdicts["worker_job"] == verdicts["stripe"] == verdicts["tasks_do_not_run"] == "ok"
    assert query(
        "SELECT outcome FROM procrastinate_tasks_jobattempt"
        " WHERE task_name = 'procrastinate_tasks.prove_a_worker'"
    ) == [("succeeded",)]
