"""A site with staff, a queue and a house, served once a module; skipped where there is no browser."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from django.contrib.auth.models import User
from playwright.sync_api import Browser
from pytest_django import DjangoDbBlocker

from tests.browser import stage
from tests.browser.chromium import chromium_or_skip, open_chromium
from tests.browser.house import Address, furnish


@dataclass(frozen=True, slots=True)
class Office:
    """The site as staff reach it: its address, its pages, and a session of the owner's."""

    base_url: str
    owner: str
    pages: tuple[Address, ...]


@pytest.fixture(scope="module")
def db(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[None]:
    """Take the place of pytest-django's: committed rows, for a module, which its visitors can see."""
    with django_db_blocker.unblock():
        yield
        stage.sweep()


@pytest.fixture(scope="module")
def office(db: None) -> Iterator[Office]:
    chromium_or_skip()
    pages = furnish()
    owner = stage.sign_in(User.objects.create_superuser("duena"))
    with stage.open_site() as base_url:
        yield Office(base_url, owner, pages)


@pytest.fixture(scope="module")
def browser(office: Office) -> Iterator[Browser]:
    """Open after the office: with the browser's event loop in this thread, Django refuses its database."""
    with open_chromium(chromium_or_skip()) as opened:
        yield opened
