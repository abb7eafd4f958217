"""Settings of a dyno in tests: production's, with the static files that the test collected."""

from __future__ import annotations

import os
from pathlib import Path

from reyes_estancias.settings import *  # noqa: F403

STATIC_ROOT = Path(os.environ["DYNO_STATIC_ROOT"])
