from __future__ import annotations

from django.apps import AppConfig
from django.contrib.admin import apps as admin_apps


class ReyesEstanciasConfig(AppConfig):
    name = "reyes_estancias"
    default_auto_field = "django.db.models.BigAutoField"


class OfficeConfig(admin_apps.AdminConfig):
    """Django's admin, with the job viewer in it."""

    default = False
    default_site = "procrastinate_tasks.viewer.site.JobViewerSite"
