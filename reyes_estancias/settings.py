"""Settings of Reyes Estancias: the only reader of the environment.

Production differs from a laptop by its environment alone; ``.env.example`` lists every variable.
"""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import django
from django.core.exceptions import ImproperlyConfigured
from django.utils.module_loading import import_string

from procrastinate_tasks import Rate, logging_config
from reyes_estancias.database_url import EXAMPLE, parse_database_url
from reyes_estancias.email_settings import admin_settings, email_settings, is_email_sent
from reyes_estancias.environment import Environment
from reyes_estancias.postgres.server import start_or_join

BASE_DIR = Path(__file__).resolve().parent.parent

env = Environment()
Environment.read_env(BASE_DIR / ".env")

# --- Django -----------------------------------------------------------------------------------------------

DEBUG = env.bool("DEBUG", default=True)
SECRET_KEY = env.str("SECRET_KEY", default="insecure-development-key") if DEBUG else env.str("SECRET_KEY")
ALLOWED_HOSTS = env.list("ALLOWED_HOSTS", default=["127.0.0.1", "localhost"])

INSTALLED_APPS = [
    "reyes_estancias",  # first, because its templates complete Django's own
    "reyes_estancias.apps.OfficeConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.humanize",
    "django.contrib.messages",
    "django.contrib.postgres",
    "django.contrib.sessions",
    "whitenoise.runserver_nostatic",
    "django.contrib.staticfiles",
    "axes",
    "django_otp",
    "django_otp.plugins.otp_totp",
    "django_otp.plugins.otp_static",
    "procrastinate.contrib.django",
    "procrastinate_tasks",
    "bookings",
    "payments",
]

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "csp.middleware.CSPMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "reyes_estancias.public_answers.PublicAnswerMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "reyes_estancias.language.ChosenLanguageMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django_otp.middleware.OTPMiddleware",
    "reyes_estancias.staff_sessions.StaffSessionMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "reyes_estancias.form_limits.FormLimitMiddleware",
    "reyes_estancias.second_factor.SecondFactorMiddleware",
    "axes.middleware.AxesMiddleware",
]

ROOT_URLCONF = "reyes_estancias.urls"
WSGI_APPLICATION = "reyes_estancias.wsgi.application"

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "reyes_estancias.context_processors.describe_site",
            ],
        },
    },
]
FORM_RENDERER = "reyes_estancias.form_inputs.InputRenderer"

CACHES = {
    # Parts of pages, kept under the facts they are drawn from: never out of date, and gone with the process.
    "template_fragments": {
        "BACKEND": "django.core.cache.backends.locmem.LocMemCache",
        "LOCATION": "template_fragments",
        "OPTIONS": {"MAX_ENTRIES": 5_000},
    },
    "shared_pages": {
        "BACKEND": "django.core.cache.backends.locmem.LocMemCache",
        "LOCATION": "shared_pages",
        "OPTIONS": {"MAX_ENTRIES": 300},  # each has some twenty kilobytes
    },
    "default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"},
}

STATIC_URL = "static/"
STATIC_ROOT = BASE_DIR / "staticfiles"
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {
        # Hashed names need a collectstatic first, which a laptop should not have to run.
        "BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"
        if DEBUG
        else "whitenoise.storage.CompressedManifestStaticFilesStorage",
    },
}
WHITENOISE_KEEP_ONLY_HASHED_FILES = True

LANGUAGE_CODE = "es-mx"
LANGUAGES = [("es-mx", "Español (México)"), ("en", "English")]
LOCALE_PATHS = [BASE_DIR / "reyes_estancias" / "locale_of_django"]
TIME_ZONE = "America/Mexico_City"
USE_TZ = True

# --- Database ---------------------------------------------------------------------------------------------

# Without a DATABASE_URL a laptop gets a private server of its own.
DATABASE_URL = env.str("DATABASE_URL", default="")
if not DATABASE_URL and not DEBUG:
    raise ImproperlyConfigured(f"DATABASE_URL is not set; with DEBUG off it is required, as in {EXAMPLE}.")
POSTGRES_BINDIR = env.str("POSTGRES_BINDIR", default="")
# Behind PgBouncer in transaction mode a server-side cursor would be left in another client's session.
DATABASE_POOLED = env.bool("DATABASE_POOLED", default=False)

DATABASES = {
    "default": {
        **(
            parse_database_url(DATABASE_URL)
            if DATABASE_URL
            else start_or_join(
                project=BASE_DIR, bindir=Path(POSTGRES_BINDIR) if POSTGRES_BINDIR else None
            ).as_django()
        ),
        "CONN_MAX_AGE": 60,
        "CONN_HEALTH_CHECKS": True,
        "DISABLE_SERVER_SIDE_CURSORS": DATABASE_POOLED,
    }
}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# --- Payments ---------------------------------------------------------------------------------------------

# Where the site is reached: the links in e-mails and the way back from Stripe's pages begin with it.
SITE_BASE_URL = (
    env.str("SITE_BASE_URL", default="http://127.0.0.1:8000") if DEBUG else env.str("SITE_BASE_URL")
)

# Tells the site that real guests pay here: it then refuses to start with a test key.
PRODUCTION = env.bool("PRODUCTION", default=False)

PAYMENTS_GATEWAY = "payments.stripe_gateway.StripeGateway"
# While developing, the local Stripe (``python -m reyes_estancias.local_stripe``) answers without a key.
_LOCAL_STRIPE = DEBUG and "STRIPE_SECRET_KEY" not in env
STRIPE_SECRET_KEY = "sk_test_local" if _LOCAL_STRIPE else env.str("STRIPE_SECRET_KEY")
STRIPE_API_BASE = env.str(
    "STRIPE_API_BASE", default="http://127.0.0.1:12111" if _LOCAL_STRIPE else "https://api.stripe.com"
)
# Two secrets while one replaces the other.
STRIPE_WEBHOOK_SECRETS = env.list(
    "STRIPE_WEBHOOK_SECRETS", default=["whsec_local"] if _LOCAL_STRIPE else env.NOTSET
)
# Taken out of the errors of jobs, wherever a library may put them.
PROCRASTINATE_TASKS_SECRET_SETTINGS = ("STRIPE_SECRET_KEY", "STRIPE_WEBHOOK_SECRETS")

# Five charges an hour may fail by themselves; whose outcome is unknown should be known within minutes.
PAYMENTS_ALERT_FAILED_PER_HOUR = 5
PAYMENTS_ALERT_UNKNOWN_AFTER = timedelta(minutes=10)
# A single debt of this age is told of: its guest leaves soon.
PAYMENTS_ALERT_OVERDUE_AFTER = timedelta(hours=24)

# --- Security ---------------------------------------------------------------------------------------------

# A site with an https address is reached by nothing else: the proxy in front says how a request came.
_IS_HTTPS = SITE_BASE_URL.startswith("https://")
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if _IS_HTTPS else None
SECURE_SSL_REDIRECT = _IS_HTTPS
SECURE_REDIRECT_EXEMPT = [r"^salud/", r"^metrics$"]  # probes come from inside, without the proxy
SECURE_HSTS_SECONDS = env.int("HSTS_SECONDS", default=3600) if _IS_HTTPS else 0
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = LANGUAGE_COOKIE_SECURE = _IS_HTTPS
SILENCED_SYSTEM_CHECKS = [
    # Whether every other host of the domain speaks https too, for ever, is for the domain's owner to say.
    "security.W005",
    "security.W021",
    # An account is locked whoever guesses: who rotates addresses gains nothing. FORM_LIMITS bound an address.
    "axes.W006",
]

# The pages need nothing but our own files. A form that leads to a payment page names that page's host too:
# browsers hold redirects to the same rule.
_CHECKOUT = "https://checkout.stripe.com" if STRIPE_API_BASE == "https://api.stripe.com" else STRIPE_API_BASE
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": ["'self'"],
        "base-uri": ["'none'"],
        "form-action": ["'self'", _CHECKOUT],
        "frame-ancestors": ["'none'"],
        "object-src": ["'none'"],
    }
}

# --- The house --------------------------------------------------------------------------------------------

# Who lets the homes, as the law wants it told: in the footer and above the legal texts.
COMPANY = {
    "name": env.str("COMPANY_NAME", default="Reyes Estancias"),
    "rfc": env.str("COMPANY_RFC", default=""),
    "address": env.str("COMPANY_ADDRESS", default=""),
    "phone": env.str("COMPANY_PHONE", default=""),
}

# --- Staff ------------------------------------------------------------------------------------------------

_VALIDATORS = "django.contrib.auth.password_validation"
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"{_VALIDATORS}.UserAttributeSimilarityValidator"},
    {"NAME": f"{_VALIDATORS}.MinimumLengthValidator", "OPTIONS": {"min_length": 12}},
    {"NAME": f"{_VALIDATORS}.CommonPasswordValidator"},
    {"NAME": f"{_VALIDATORS}.NumericPasswordValidator"},
]
AUTHENTICATION_BACKENDS = [
    "axes.backends.AxesStandaloneBackend",
    "django.contrib.auth.backends.ModelBackend",
]

# Staff sign in again after so long without opening a page, and after so long in any case.
STAFF_SESSION_IDLE = timedelta(hours=2)
STAFF_SESSION_LONGEST = timedelta(hours=12)

# An account is locked whoever guesses, from wherever; no address of anybody is kept for it.
AXES_FAILURE_LIMIT = 10
AXES_COOLOFF_TIME = timedelta(minutes=15)
AXES_LOCKOUT_PARAMETERS = ["username"]
AXES_RESET_ON_SUCCESS = True
AXES_CLIENT_IP_CALLABLE = "reyes_estancias.visitors.no_address"
AXES_DISABLE_ACCESS_LOG = True
AXES_ENABLE_ADMIN = False
AXES_HTTP_RESPONSE_CODE = 429
AXES_LOCKOUT_TEMPLATE = "429.html"
AXES_VERBOSE = False

# Whoever holds one of these may have money moved, and signs in with a second factor.
SECOND_FACTOR_PERMISSIONS = {
    "procrastinate_tasks": ("retry_money_job",),
    "payments": ("give_up_refund", "close_reconciliationbreak"),
}
SECOND_FACTOR_REQUIRED = env.bool("SECOND_FACTOR_REQUIRED", default=not DEBUG)
OTP_TOTP_ISSUER = "Reyes Estancias"

# --- Visitors ---------------------------------------------------------------------------------------------

# How many proxies of ours stand before the site: each has added the address it was asked from.
TRUSTED_PROXIES = env.int("TRUSTED_PROXIES", default=0)

# What stands for a visitor whose unpaid holds are counted.
BOOKINGS_VISITOR_OF = "reyes_estancias.visitors.pseudonym_of"

# What has a guest written to in the transaction of their hold.
BOOKINGS_ANNOUNCE_HOLD = "payments.services.announce_hold"

# A form is short; Stripe's events are read apart, and gunicorn's worker bounds every request.
DATA_UPLOAD_MAX_MEMORY_SIZE = 100 * 1024

# How many forms one visitor may send, by the name of the page's address; "" is every other page.
FORM_LIMITS = {
    "login": Rate(10, per=timedelta(minutes=5)),
    "my_bookings": Rate(5, per=timedelta(minutes=15)),
    "open_access": Rate(10, per=timedelta(minutes=5)),
    "property": Rate(10, per=timedelta(minutes=10)),
    "": Rate(60, per=timedelta(minutes=1)),
}

# --- E-mail -----------------------------------------------------------------------------------------------

_email = env.email_url("EMAIL_URL", default="consolemail://")
vars().update(email_settings(_email, has_mailers=django.VERSION >= (6, 1)))
EMAIL_IS_SENT = is_email_sent(_email)
DEFAULT_FROM_EMAIL = env.str("DEFAULT_FROM_EMAIL", default="Reyes Estancias <reservas@localhost>")

# Who is told when something is wrong, and by whom.
vars().update(admin_settings(env.list("ADMIN_EMAILS", default=[]), takes_addresses=django.VERSION >= (6,)))
SERVER_EMAIL = DEFAULT_FROM_EMAIL
EMAIL_SUBJECT_PREFIX = "[Reyes Estancias] "

# --- Logs -------------------------------------------------------------------------------------------------

# One line a record on standard error; those made inside a job carry its id and what its task shows.
LOGGING = logging_config(style=env.choice("LOG_FORMAT", "logfmt", "json"))
LOGGING["filters"]["request"] = {"()": "reyes_estancias.log_privacy.RequestFilter"}
LOGGING["handlers"]["console"]["filters"].append("request")
LOGGING["loggers"] |= {name: {"level": "WARNING"} for name in ("procrastinate.blueprints", "stripe")}
# Without this, Django mails whole requests to the ADMINS: what guests wrote has no place there.
LOGGING["loggers"]["django"] = {"level": "INFO", "handlers": []}

# --- Monitoring -------------------------------------------------------------------------------------------

PROCRASTINATE_TASKS_MONITORING_TOKEN = env.str("MONITORING_TOKEN", default="")
PROCRASTINATE_TASKS_SITE_URL = SITE_BASE_URL
PROCRASTINATE_TASKS_ALERT_WEBHOOK_URL = env.str("ALERT_WEBHOOK_URL", default="")
PROCRASTINATE_TASKS_CONNECTION_LIMIT = env.int("DATABASE_CONNECTION_LIMIT", default=0)
PROCRASTINATE_TASKS_RELEASE = env.str("RELEASE", default="")

# gunicorn reads it itself; here it tells how many connections the web processes may hold.
WEB_PROCESSES = env.int("WEB_CONCURRENCY", default=2)

SENTRY_DSN = env.str("SENTRY_DSN", default="")
if SENTRY_DSN:
    # By its name: the import of Sentry's SDK would be a sixth of the start of each process that does without.
    import_string("reyes_estancias.sentry.start_sentry")(dsn=SENTRY_DSN, release=PROCRASTINATE_TASKS_RELEASE)
