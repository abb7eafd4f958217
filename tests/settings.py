"""The project's settings, as the tests see them."""

from __future__ import annotations

from reyes_estancias.settings import *  # noqa: F403
