"""The next release, as far as the database is concerned: it only adds."""

from __future__ import annotations

from django.apps import AppConfig


class NextReleaseConfig(AppConfig):
    name = "tests.next_release"
    label = "next_release"
