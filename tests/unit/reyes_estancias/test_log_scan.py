"""The net that is spread under every test's logs has no hole where it matters."""

from __future__ import annotations

import logging

import pytest

from reyes_estancias.log_privacy import RequestFilter
from tests.log_scan import ScanningHandler, find_secrets


@pytest.mark.parametrize(
    "secret",
    [
        "sk_live_51abcdef",
        "rk_test_51abcdef",
        "whsec_51abcdef",
        "4242424242424242",
        "4242 4242 4242 4242",
        "5555-5555-5555-4444",
        "ana.reyes+casa@example.com.mx",
        "/reserva/eyJhbGciOiJIUzI1NiJ9.abcdef/",
        "/reserva/65919517-5713-4479-a0b1-0123456789ab/",
    ],
)
def test_a_secret_is_found_inside_a_line(secret):
    assert find_secrets(f'at=2026-11-23 message="asked for {secret} twice"')


@pytest.mark.parametrize(
    "harmless",
    [
        "at=2026-11-23T03:46:40.123+00:00 job_id=1234567890123",
        "pi_3Q1Z2x4242424242424243",
        "postgres://postgres@127.0.0.1:54329/reyes",
        "path=/reserva/…/",
        "run 65919517-5713-4479-a0b1-0123456789ab",  # its first sixteen digits have a right check digit
    ],
)
def test_what_every_line_holds_is_no_secret(harmless):
    assert find_secrets(harmless) == []


def test_a_logger_that_says_too_much_fails_its_test():
    handler = ScanningHandler()

    handler.handle(logging.makeLogRecord({"msg": "charged", "card": "4242424242424242"}))

    assert handler.found


def test_the_address_of_a_booking_is_masked_in_what_django_logs_of_a_request():
    record = logging.makeLogRecord(
        {"msg": "%s: %s", "args": ("Not Found", "/reserva/eyJhbGciOiJIUzI1NiJ9abc/"), "request": object()}
    )

    assert RequestFilter().filter(record)

    assert record.getMessage() == "Not Found: /reserva/…/"
    assert not hasattr(record, "request")
