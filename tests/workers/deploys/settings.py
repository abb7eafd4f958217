"""Settings of the workers and clients of either checkout; ``DEPLOYS_RELEASE`` names the release."""

from __future__ import annotations

import os

from tests.workers.settings import *  # noqa: F403

PROCRASTINATE_TASKS_RELEASE = os.environ["DEPLOYS_RELEASE"]
PROCRASTINATE_IMPORT_PATHS = ["tests.workers.deploys.shop"]
PROCRASTINATE_TASKS_MAX_CRASHES = 1000  # processes die at random here: dying twice says nothing about a job
