"""The queue app's configuration."""

from __future__ import annotations

from django.apps import AppConfig
from django.utils.module_loading import autodiscover_modules
from django.utils.translation import gettext_lazy as _

from procrastinate_tasks.installation import install


class ProcrastinateTasksConfig(AppConfig):
    name = "procrastinate_tasks"
    verbose_name = _("Job queue")
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        install()
        autodiscover_modules("job_presentation")
