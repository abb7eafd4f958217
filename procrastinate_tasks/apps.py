"""The queue app's configuration."""

from __future__ import annotations

from django.apps import AppConfig
from django.core.checks import register
from django.utils.module_loading import autodiscover_modules
from django.utils.translation import gettext_lazy as _

from procrastinate_tasks.alerting.metrics import alert_metrics
from procrastinate_tasks.alerting.queue_rules import QUEUE_RULES
from procrastinate_tasks.alerting.rules import register_rule
from procrastinate_tasks.checks import check_queue
from procrastinate_tasks.installation import install
from procrastinate_tasks.monitoring.metrics import register_metrics


class ProcrastinateTasksConfig(AppConfig):
    name = "procrastinate_tasks"
    verbose_name = _("Job queue")
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        install()
        register(check_queue, "procrastinate_tasks")
        for rule in QUEUE_RULES:
            register_rule(rule)
        register_metrics("alerts", alert_metrics)
        # As with tasks: what an app's modules of these names register is its own.
        autodiscover_modules("job_presentation", "monitoring")
