"""Pictures of every page in every look: ``make screenshots``; slow, and left out of a usual run."""

from __future__ import annotations

import os
from itertools import product
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from tests.browser.chromium import LANGUAGES, SCHEMES, Look, visit
from tests.browser.conftest import Office

SCREENS = ((1280, 900), (375, 812))
LOOKS = [
    Look(width=width, height=height, scheme=scheme, language=language)
    for (width, height), scheme, language in product(SCREENS, SCHEMES, LANGUAGES)
]


@pytest.mark.slow
@pytest.mark.parametrize("look", LOOKS, ids=str)
def test_every_page_has_its_picture(browser: Browser, office: Office, tmp_path: Path, look: Look):
    directory = Path(os.environ.get("SCREENSHOTS") or tmp_path) / str(look)
    with visit(browser, office.base_url, look, session=office.owner) as visitor:
        for address in office.pages:
            visitor.go(address.path)
            visitor.page.screenshot(path=directory / f"{address.name}.png", full_page=True)

    assert len(list(directory.glob("*.png"))) == len(office.pages)
