"""A home with photos, as a telephone and a desk show it: light to fetch, and kept within the screen."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Request

from tests.browser.chromium import Look, visit
from tests.browser.conftest import Office

MOST_BYTES = 300 * 1024


@pytest.mark.parametrize("width", [375, 1280])
def test_the_page_of_a_home_with_photos_weighs_less_than_300_kb(
    browser: Browser, office: Office, tmp_path: Path, width: int
):
    path = next(address.path for address in office.pages if address.name == "property")
    with visit(browser, office.base_url, Look(width=width)) as visitor:
        requests: list[Request] = []
        visitor.page.on("requestfinished", lambda request: requests.append(request))
        visitor.go(path)
        visitor.page.wait_for_load_state("networkidle")
        weight = sum(request.sizes()["responseBodySize"] for request in requests)
        shown = visitor.page.evaluate("[...document.images].filter(i => i.complete && i.naturalWidth).length")
        visitor.page.screenshot(
            path=Path(os.environ.get("SCREENSHOTS") or tmp_path) / f"photos-{width}.png", full_page=True
        )

    assert shown >= 5  # the lead, and what stands below it; those behind the fold are not fetched
    assert 0 < weight < MOST_BYTES
