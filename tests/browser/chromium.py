"""Debian's Chromium, driven by Playwright; the browser's own words are kept for the tests to read."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Literal

import pytest
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, sync_playwright

Scheme = Literal["light", "dark"]
Language = Literal["es-mx", "en"]
SCHEMES: tuple[Scheme, ...] = ("light", "dark")
LANGUAGES: tuple[Language, ...] = ("es-mx", "en")

_NAMES = ("chromium", "chromium-browser", "google-chrome")
# Nothing but the pages under test is asked for, and root has no sandbox.
_ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


def find_chromium() -> str | None:
    """Return the browser's path: ``CHROMIUM``, or the first on the path."""
    return os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, _NAMES)), None)


def chromium_or_skip() -> str:
    """Return the browser's path, or skip the test that needs it."""
    path = find_chromium()
    if path is None:
        pytest.skip("No Chromium here. On Debian, as root: apt-get install chromium")
    return path


@contextmanager
def open_chromium(path: str) -> Iterator[Browser]:
    """Run a browser until the block ends.

    Playwright keeps an event loop in this thread meanwhile, in which Django refuses its database: read it
    before, or by ``stage.ask``.
    """
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=list(_ARGUMENTS))
        yield browser
        browser.close()


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """How a page is looked at; ``width`` in CSS pixels."""

    width: int = 1280
    height: int = 900
    scheme: Scheme = "light"
    language: Language = "es-mx"
    has_scripts: bool = True

    def __str__(self) -> str:
        scripts = "" if self.has_scripts else "-without-scripts"
        return f"{self.width}-{self.scheme}-{self.language}{scripts}"


@dataclass(frozen=True, slots=True)
class Visit:
    """One visitor's tab; ``complaints`` is what the browser had to say against its pages."""

    page: Page
    base_url: str
    complaints: list[str] = field(default_factory=list)

    def go(self, path: str) -> int:
        """Open a path of the site, and return the status of its answer."""
        response = self.page.goto(f"{self.base_url}{path}")
        assert response is not None
        return response.status

    def scrolls_sideways(self) -> bool:
        return bool(
            self.page.evaluate("document.documentElement.scrollWidth > document.documentElement.clientWidth")
        )


@contextmanager
def visit(browser: Browser, base_url: str, look: Look, *, session: str = "") -> Iterator[Visit]:
    """Open a tab of a visitor of their own, signed in with a session of Django's if one is given."""
    context = browser.new_context(
        viewport={"width": look.width, "height": look.height},
        color_scheme=look.scheme,
        java_script_enabled=look.has_scripts,
        timezone_id="America/Tijuana",
        reduced_motion="reduce",
    )
    _set_cookies(context, base_url, {"sessionid": session, "django_language": look.language})
    page = context.new_page()
    opened = Visit(page, base_url)
    page.on("console", lambda message: _keep(opened, message))
    page.on("pageerror", lambda error: opened.complaints.append(str(error)))
    yield opened
    context.close()


def _set_cookies(context: BrowserContext, base_url: str, values: dict[str, str]) -> None:
    for name, value in values.items():
        if value:
            context.add_cookies([{"name": name, "value": value, "url": base_url}])


def _keep(opened: Visit, message: ConsoleMessage) -> None:
    if message.type in ("error", "warning"):
        opened.complaints.append(message.text)
