"""Settings of workers that report to a Sentry which nobody answers for, and did so before they forked."""

from __future__ import annotations

import logging

import sentry_sdk

from tests.workers.settings import *  # noqa: F403

PROCRASTINATE_IMPORT_PATHS = ["tests.workers.tasks", "tests.workers.sentry_tasks"]

sentry_sdk.init(dsn="http://key@127.0.0.1:9/1")
logging.getLogger("project").error("reported while the project loads")
