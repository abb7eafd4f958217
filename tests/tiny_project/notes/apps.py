"""The tiny project's only app."""

from __future__ import annotations

from django.apps import AppConfig


class NotesConfig(AppConfig):
    name = "tests.tiny_project.notes"
    label = "notes"
