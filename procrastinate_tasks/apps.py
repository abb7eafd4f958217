"""The queue app's configuration."""

from __future__ import annotations

from django.apps import AppConfig
from django.utils.module_loading import autodiscover_modules, import_string
from django.utils.translation import gettext_lazy as _


class ProcrastinateTasksConfig(AppConfig):
    name = "procrastinate_tasks"
    verbose_name = _("Job queue")
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        # This module is imported before there are models, and what is installed needs them.
        import_string("procrastinate_tasks.installation.install")()
        # As with tasks: what an app's modules of these names register is its own.
        autodiscover_modules("job_descriptions", "monitoring")
