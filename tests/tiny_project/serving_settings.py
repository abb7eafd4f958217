"""The tiny project on a development server."""

from __future__ import annotations

from tests.tiny_project.admin_settings import *  # noqa: F403

DEBUG = True
