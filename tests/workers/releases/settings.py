"""Settings of one of two releases that serve one database; ``TEST_RELEASE`` names it."""

from __future__ import annotations

import os

from tests.workers.settings import *  # noqa: F403

PROCRASTINATE_TASKS_RELEASE = os.environ["TEST_RELEASE"]
PROCRASTINATE_IMPORT_PATHS = [f"tests.workers.releases.{PROCRASTINATE_TASKS_RELEASE}"]
