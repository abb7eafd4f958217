"""``manage.py verify_setup``: whether everything is there, down to one job through a real worker."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

from django.utils.translation import gettext as _

from procrastinate_tasks.verification.problems import QUEUE_PROBLEMS
from procrastinate_tasks.verification.queue_checks import queue_checks
from procrastinate_tasks.verification.verdicts import Check, VerificationCommand
from reyes_estancias.setup_checks import DECIMAL_PROBLEM, SITE_CHECKS, expected


class Command(VerificationCommand):
    help = (
        "Verifies database, migrations, settings, Stripe's keys, tasks, schedule, connections and a job"
        " through a living worker, and answers the five usual problems. Exit code 1 when something failed."
    )

    def list_checks(self, *, job_within: timedelta) -> Sequence[tuple[str, Sequence[Check]]]:
        start, tasks, *rest = QUEUE_PROBLEMS
        return (
            (_("The queue"), queue_checks(replace(expected(), job_within=job_within))),
            (_("The site"), SITE_CHECKS),
            (_("The five usual problems"), (start, tasks, DECIMAL_PROBLEM, *rest)),
        )
