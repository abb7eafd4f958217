"""Settings of the next release: the project's, plus an app whose migration is still to be run."""

from __future__ import annotations

from tests.settings import *  # noqa: F403

INSTALLED_APPS = [*INSTALLED_APPS, "tests.next_release"]  # noqa: F405
