from __future__ import annotations

from django.apps import AppConfig


class ProcrastinateTasksConfig(AppConfig):
    name = "procrastinate_tasks"
    default_auto_field = "django.db.models.BigAutoField"
