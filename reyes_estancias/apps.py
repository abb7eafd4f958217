from __future__ import annotations

from django.apps import AppConfig


class ReyesEstanciasConfig(AppConfig):
    name = "reyes_estancias"
    default_auto_field = "django.db.models.BigAutoField"
