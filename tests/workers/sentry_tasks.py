"""The task of workers that report to Sentry: the others should not import its SDK at each start."""

from __future__ import annotations

import sentry_sdk

from procrastinate_tasks.jobs.tasks import task


@task(name="engine.reports_to_sentry")
def reports_to_sentry() -> bool:
    return sentry_sdk.get_client().is_active()
