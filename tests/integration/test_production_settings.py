"""The settings of production: what Django's own deployment checks ask for, and what a proxy needs."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.workers.workers import current_database_url

REPOSITORY = Path(__file__).parents[2]
PRODUCTION = {
    "DEBUG": "False",
    "PRODUCTION": "True",
    "SECRET_KEY": "a-long-and-random-key-of-this-test-alone-0123456789-abcdefghij",
    "ALLOWED_HOSTS": "reyes.example",
    "SITE_BASE_URL": "https://reyes.example",
    "STRIPE_SECRET_KEY": "sk_live_of_this_test_alone",
    "STRIPE_WEBHOOK_SECRETS": "whsec_of_this_test_alone",
    "EMAIL_URL": "smtp+tls://user:password@mail.example:587",
    "ADMIN_EMAILS": "turno@example.com,otra@example.com",
}
READ_SETTINGS = """
import json
from django.conf import settings
print(json.dumps({name: getattr(settings, name) for name in %r}))
"""

pytestmark = pytest.mark.django_db


def run(*command: str, **environment: str) -> subprocess.CompletedProcess[str]:
    kept = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    return subprocess.run(
        [sys.executable, *command],
        cwd=REPOSITORY,
        env={
            **kept,
            "DJANGO_SETTINGS_MODULE": "reyes_estancias.settings",
            "DATABASE_URL": current_database_url(),
            **PRODUCTION,
            **environment,
        },
        capture_output=True,
        text=True,
        timeout=120,
    )


def read_settings(*names: str, **environment: str) -> dict[str, object]:
    done = run("-c", READ_SETTINGS % (names,), **environment)
    assert done.returncode == 0, done.stderr
    found: dict[str, object] = json.loads(done.stdout)
    return found


def test_the_deployment_checks_have_nothing_to_say():
    done = run("manage.py", "check", "--deploy", "--fail-level", "WARNING")

    assert (done.returncode, done.stdout) == (0, "System check identified no issues (3 silenced).\n"), (
        done.stderr
    )


def test_a_site_without_https_is_named_by_the_deployment_checks():
    done = run("manage.py", "check", "--deploy", SITE_BASE_URL="http://reyes.example")

    assert "security.W008" in done.stderr


def test_cookies_and_redirects_follow_the_address_of_the_site():
    names = ("SECURE_SSL_REDIRECT", "SESSION_COOKIE_SECURE", "CSRF_COOKIE_SECURE", "SECURE_HSTS_SECONDS")

    assert list(read_settings(*names, HSTS_SECONDS="31536000").values()) == [True, True, True, 31_536_000]
    assert list(read_settings(*names, SITE_BASE_URL="http://127.0.0.1:8000").values()) == [
        False,
        False,
        False,
        0,
    ]


def test_probes_are_not_sent_to_https():
    probe = (
        "import django; django.setup()\n"
        "from django.test import Client\n"
        "ask = Client(headers={'host': 'reyes.example'}).get\n"
        "print(ask('/salud/vivo').status_code, ask('/').status_code,"
        " ask('/salud/vivo', headers={'x-forwarded-proto': 'https'}).status_code)"
    )

    assert run("-c", probe).stdout.split() == ["200", "301", "200"]


def test_the_log_is_json_where_that_is_asked_for():
    say = "import django, logging; django.setup(); logging.getLogger('x').warning('hello')"

    line = run("-c", say, LOG_FORMAT="json").stderr.splitlines()[-1]

    assert json.loads(line)["message"] == "hello"


def test_no_request_is_ever_mailed_to_those_who_get_the_alerts():
    look = (
        "import django, logging; django.setup()\n"
        "print([type(each).__name__ for name in ('django', 'django.request', '')"
        " for each in logging.getLogger(name).handlers])"
    )

    assert run("-c", look).stdout == "['StreamHandler']\n"


def test_sentry_is_off_without_an_address_and_on_with_one():
    look = (
        "import django; django.setup()\n"
        "import sentry_sdk\n"
        "from procrastinate.contrib.django import app\n"
        "from procrastinate_tasks.monitoring.sentry import report_sync\n"
        "print(sentry_sdk.get_client().is_active(), report_sync in app.worker_defaults['task_middleware'])"
    )

    assert run("-c", look).stdout == "False False\n"
    assert run("-c", look, SENTRY_DSN="https://key@sentry.example/1").stdout == "True True\n"
