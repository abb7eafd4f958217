"""Whether the site is set up: its address, time zone, keys, e-mail, and the old system's Decimal error."""

from __future__ import annotations

import time
from datetime import datetime, timedelta
from decimal import Decimal
from urllib.parse import urlsplit

from django.conf import settings
from django.core import checks
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from payments.deferred_jobs import CHARGE_BALANCE, DEFERRED_BY_NAME
from payments.exceptions import GatewayRefused, ObjectMissing, PaymentError
from payments.gateway import get_gateway
from payments.models import StripeEvent, StripeMemory
from payments.policies import base_url_problem, stripe_key_problem
from procrastinate_tasks.models import JobAttempt, Outcome
from procrastinate_tasks.verification.queue_checks import Expected, refuses, verdict_of_messages
from procrastinate_tasks.verification.verdicts import Check, Level, Verdict, fail, ok, warn
from reyes_estancias.gunicorn_conf import threads

TIME_ZONE = "America/Mexico_City"
_NO_SUCH_INTENT = "pi_verify_setup"
# Stripe sends a webhook within seconds.
WEBHOOK_WITHIN = timedelta(seconds=15)
_LOOK_EVERY_SECONDS = 0.2


def expected() -> Expected:
    """Return what the queue must have for this site.

    A web process holds a connection a thread, and one for a moment to look after the alerts.
    """
    scheduled = (
        "payments.tasks.announce_arrivals",
        "payments.tasks.announce_balances",
        "payments.tasks.scan_and_charge_balances",
        "payments.tasks.defer_unfinished_work",
        "payments.tasks.resolve_unfinished_payments",
        "payments.tasks.fetch_missed_events",
        "payments.tasks.reconcile_with_stripe",
        "payments.tasks.check_invariants",
        "bookings.tasks.mark_expired_bookings",
        "bookings.tasks.mark_expired_holds",
    )
    return Expected(
        postgres=15,
        extensions=("btree_gist",),
        tasks=(*DEFERRED_BY_NAME, *scheduled),
        schedules=scheduled,
        apps=("bookings", "payments", "procrastinate_tasks"),
        web_connections=settings.WEB_PROCESSES * (threads + 1),
    )


def check_site() -> Verdict:
    """Look at the address that links begin with, beside the hosts that the site answers to."""
    url = settings.SITE_BASE_URL
    problem = base_url_problem(url)
    if problem:
        return fail(problem, fix=_("Set SITE_BASE_URL to the site's address, as https://example.mx."))
    host = urlsplit(url).hostname or ""
    if not any(
        allowed == "*" or host == allowed or (allowed.startswith(".") and f".{host}".endswith(allowed))
        for allowed in settings.ALLOWED_HOSTS
    ):
        return fail(
            _("SITE_BASE_URL is %(url)s, and ALLOWED_HOSTS has not %(host)s.") % {"url": url, "host": host},
            fix=_("Add it to ALLOWED_HOSTS."),
        )
    if settings.PRODUCTION and not url.startswith("https://"):
        return fail(
            _("Real guests pay here, and SITE_BASE_URL is not https."),
            fix=_("Set SITE_BASE_URL to the https address."),
        )
    return ok(str(url))


def check_time_zone() -> Verdict:
    if settings.TIME_ZONE != TIME_ZONE:
        return fail(
            _("TIME_ZONE is %(found)s: tasks of 3:00 would run at another hour in Mexico City.")
            % {"found": settings.TIME_ZONE},
            fix=_("Set TIME_ZONE to %s.") % TIME_ZONE,
        )
    return ok(TIME_ZONE)


def check_deployment() -> Verdict:
    """Ask Django's own checks for deployment, where real guests pay."""
    if not settings.PRODUCTION:
        return warn(
            _("PRODUCTION is off: no real card is charged."),
            fix=_("Set PRODUCTION=True where real guests pay."),
        )
    if settings.DEBUG:
        return fail(_("DEBUG is on: guests would see internal errors."), fix=_("Set DEBUG=False."))
    found = checks.run_checks(tags=["security"], include_deployment_checks=True)
    silenced = settings.SILENCED_SYSTEM_CHECKS
    verdict = verdict_of_messages([message for message in found if message.id not in silenced])
    return verdict if verdict.level is Level.OK else fail(verdict.sentence, fix=verdict.fix)


def check_stripe_keys() -> Verdict:
    problem = stripe_key_problem(
        secret_key=settings.STRIPE_SECRET_KEY,
        api_base=settings.STRIPE_API_BASE,
        debug=settings.DEBUG,
        production=settings.PRODUCTION,
    )
    if problem:
        return fail(
            problem, fix=_("Take the key from Stripe's page for developers: its name tells the mode.")
        )
    mode = _("live") if "_live_" in settings.STRIPE_SECRET_KEY else _("test")
    return ok(_("The key is for %s mode.") % mode)


def check_webhook_secret() -> Verdict:
    secrets = settings.STRIPE_WEBHOOK_SECRETS
    fix = _("Copy the signing secret of the endpoint %s/webhooks/stripe/ from Stripe's page.") % (
        settings.SITE_BASE_URL
    )
    if not secrets or not all(secret.startswith("whsec_") for secret in secrets):
        return fail(_("STRIPE_WEBHOOK_SECRETS holds no secret that begins with whsec_."), fix=fix)
    if settings.PRODUCTION and "whsec_local" in secrets:
        return fail(_("STRIPE_WEBHOOK_SECRETS is that of the local Stripe."), fix=fix)
    return ok(_("Secrets: %d.") % len(secrets))


def check_stripe_answers() -> Verdict:
    """Ask Stripe for something that is not there: only a key that it knows learns so."""
    try:
        get_gateway().retrieve_intent(_NO_SUCH_INTENT)
    except ObjectMissing:
        return ok(_("Stripe answers, and knows the key."))
    except GatewayRefused:
        return fail(_("Stripe does not know the key."), fix=_("Set STRIPE_SECRET_KEY to one that is in use."))
    except PaymentError as error:
        return fail(
            _("Stripe cannot be reached at %(address)s: %(error)s")
            % {"address": settings.STRIPE_API_BASE, "error": error},
            fix=_(
                "Look at the network, and STRIPE_API_BASE; on a laptop: "
                "python -m reyes_estancias.local_stripe"
            ),
        )
    return ok(_("Stripe answers."))


def check_stripe_memory() -> Verdict:
    """Compare the key's account with that of our customers, and see whether charging is locked."""
    known = StripeMemory.objects.first()
    try:
        account_id = get_gateway().read_account()
    except PaymentError as error:
        return fail(_("Stripe does not tell its account: %s") % error, fix=_("See the check of Stripe."))
    if known is not None and known.account_id not in ("", account_id):
        return fail(
            _("The key is for the Stripe account %(found)s; our customers are of %(known)s.")
            % {"found": account_id, "known": known.account_id},
            fix=_("Correct STRIPE_SECRET_KEY, restart, then: manage.py jobs resume payments"),
        )
    if known is not None and known.locked_at is not None:
        return fail(
            _("Charging is locked: Stripe knows of money of ours that this database does not."),
            fix=_("Run: manage.py rebuild_from_stripe, and then again with --apply."),
        )
    return ok(account_id)


def check_webhook() -> Verdict:
    """See whether what Stripe tells arrives: have it tell something, or with a live key look at the last day.

    What it is made to tell of is a payment of no customer and no card, cancelled at once.
    """
    if "_live_" in settings.STRIPE_SECRET_KEY:
        return _judge_last_day(now=timezone.now())
    try:
        object_id = get_gateway().cause_events()
    except PaymentError as error:
        return fail(_("Stripe does not take a payment: %s") % error, fix=_("See the check of Stripe."))
    delivered = StripeEvent.objects.filter(object_id=object_id, is_fetched=False)
    begun = time.monotonic()
    while time.monotonic() < begun + WEBHOOK_WITHIN.total_seconds():
        if delivered.exists():
            return ok(_("A Stripe webhook arrived after %.1f s.") % (time.monotonic() - begun))
        time.sleep(_LOOK_EVERY_SECONDS)
    sentence = _("No Stripe webhook arrived within %d s.") % WEBHOOK_WITHIN.total_seconds()
    return warn(sentence, fix=_webhook_fix())


def _judge_last_day(*, now: datetime) -> Verdict:
    """Nothing is made with a live key: what came by itself has to do."""
    lately = StripeEvent.objects.filter(received_at__gte=now - timedelta(days=1))
    delivered, fetched = lately.filter(is_fetched=False).count(), lately.filter(is_fetched=True).count()
    if fetched:
        sentence = _("Of the events of the last day webhooks brought %(delivered)d, and not %(fetched)d.")
        return warn(sentence % {"delivered": delivered, "fetched": fetched}, fix=_webhook_fix())
    return ok(_("Nothing is tried with a live key. Webhooks of the last day: %d, none missed.") % delivered)


def _webhook_fix() -> str:
    return _(
        "Look at the endpoint %s/webhooks/stripe/ on Stripe's page: its address, its events, its secret, and"
        " what the site answered. Until it works, events are fetched every five minutes."
    ) % str(settings.SITE_BASE_URL)


def check_email() -> Verdict:
    """See whether guests get their e-mail, and the office its alerts."""
    if not settings.EMAIL_IS_SENT:
        judge = fail if settings.PRODUCTION else warn
        return judge(
            _("E-mail is not sent: neither guests nor the office get any."),
            fix=_("Set EMAIL_URL, as smtp+tls://user:password@host:587."),
        )
    if not settings.ADMINS:
        return warn(_("Nobody is told of alerts by e-mail."), fix=_("Set ADMIN_EMAILS."))
    return ok(_("Alerts go to %d addresses.") % len(settings.ADMINS))


def check_decimal_error() -> Verdict:
    """Answer the old system's bug: ``base_url`` was read as a ``Decimal``, and every charge failed."""
    if not refuses(CHARGE_BALANCE, {"booking_id": 1, "base_url": Decimal("1")}):
        return fail(
            _("A Decimal is taken for the base_url of a charge."),
            fix=_("Restore validate=… of the charge's task."),
        )
    seen = JobAttempt.objects.filter(
        outcome__in=(Outcome.FAILED, Outcome.RETRYING), exception_class__contains="decimal"
    ).count()
    if seen:
        return fail(
            _("Attempts that failed with an error of Decimal: %d.") % seen,
            fix=_("Look at their traceback in the administration."),
        )
    return ok(_("A base_url that is no address is refused before there is a job."))


SITE_CHECKS = (
    Check(name="site", title=gettext_lazy("Address of the site"), run=check_site, needs_database=False),
    Check(name="time_zone", title=gettext_lazy("Time zone"), run=check_time_zone, needs_database=False),
    Check(name="deployment", title=gettext_lazy("Deployment"), run=check_deployment, needs_database=False),
    Check(
        name="stripe_keys", title=gettext_lazy("Stripe's keys"), run=check_stripe_keys, needs_database=False
    ),
    Check(
        name="webhook_secret",
        title=gettext_lazy("Secret of the webhook"),
        run=check_webhook_secret,
        needs_database=False,
    ),
    Check(name="stripe", title=gettext_lazy("Stripe"), run=check_stripe_answers, needs_database=False),
    Check(name="stripe_account", title=gettext_lazy("Account at Stripe"), run=check_stripe_memory),
    Check(name="webhook", title=gettext_lazy("Round trip of a webhook"), run=check_webhook),
    Check(name="email", title=gettext_lazy("E-mail"), run=check_email, needs_database=False),
)

DECIMAL_PROBLEM = Check(name="decimal_error", title=gettext_lazy("Decimal error"), run=check_decimal_error)
