"""Who may call the local Stripe: test keys, in the one API version it speaks."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Mapping

from reyes_estancias.local_stripe.contract import API_VERSION
from reyes_estancias.local_stripe.errors import InvalidApiKey, LiveKeyRefused, NoApiKey, VersionNotSpoken

LIVE_KEY = re.compile(r"(sk|rk|pk)_live_")
TEST_KEY = re.compile(r"(sk|rk)_test_[A-Za-z0-9_]{4,}")


def check_key(headers: Mapping[str, str]) -> None:
    """Refuse a request without a test key.

    Raises:
        NoApiKey, LiveKeyRefused, InvalidApiKey: see their names.
    """
    key = _read_key(headers.get("authorization", ""))
    if not key:
        raise NoApiKey
    if LIVE_KEY.match(key):
        raise LiveKeyRefused
    if not TEST_KEY.fullmatch(key):
        raise InvalidApiKey(key)


def check_version(headers: Mapping[str, str]) -> None:
    """Raises VersionNotSpoken when the client pins another API version."""
    asked = headers.get("stripe-version", API_VERSION)
    if asked != API_VERSION:
        raise VersionNotSpoken(asked=asked, spoken=API_VERSION)


def _read_key(authorization: str) -> str:
    scheme, _, value = authorization.partition(" ")
    if scheme.lower() == "bearer":
        return value.strip()
    if scheme.lower() == "basic":
        return _read_basic(value)
    return ""


def _read_basic(value: str) -> str:
    try:
        return base64.b64decode(value, validate=True).decode().partition(":")[0]
    except (binascii.Error, UnicodeDecodeError):
        return ""
