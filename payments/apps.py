"""Payments: what is owed for a booking, and how it is collected through Stripe."""

from __future__ import annotations

from django.apps import AppConfig
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.utils.translation import gettext_lazy as _

from payments.policies import stripe_key_problem


class PaymentsConfig(AppConfig):
    name = "payments"
    verbose_name = _("Payments")
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Refuse to start where a live key would take real money by mistake, or a test key none."""
        problem = stripe_key_problem(
            secret_key=settings.STRIPE_SECRET_KEY,
            api_base=settings.STRIPE_API_BASE,
            debug=settings.DEBUG,
            production=settings.PRODUCTION,
        )
        if problem is not None:
            raise ImproperlyConfigured(problem)
