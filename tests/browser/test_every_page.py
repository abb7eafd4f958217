"""Every page, of guests and of staff, in a real browser: accessible, silent, and as wide as the screen."""

from __future__ import annotations

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page

from tests.browser.chromium import Look, visit
from tests.browser.conftest import Office

LOOKS = (
    Look(width=1280, scheme="light", language="es-mx"),
    Look(width=375, scheme="dark", language="en"),
)
EXAMPLES = {
    *(
        "home",
        "property",
        "booking-held",
        "booking-confirmed",
        "change-dates",
        "cancel",
        "my_bookings",
        "terms",
    ),
    *("queue-dashboard", "queue-jobs", "queue-failures", "queue-schedule", "queue-alerts", "queue-bulk"),
    *("job-failed", "admin", "admin-booking", "admin-booking-one", "office-occupancy", "office-explanation"),
}
NARROWEST = Look(width=320, height=640)
WCAG_2_2_AA = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]
_AXE = Axe()


def violations(page: Page) -> list[str]:
    """Return what axe-core finds against WCAG 2.2 A and AA: the rule, and the elements that break it."""
    # Without preloading: axe would copy style sheets into the page, which the content policy rightly refuses.
    rules = {"runOnly": {"type": "tag", "values": WCAG_2_2_AA}, "preload": False}
    results = _AXE.run(page, options=rules)
    return [
        f"{found['id']}: {', '.join(' '.join(node['target']) for node in found['nodes'][:4])}"
        for found in results.response["violations"]
    ]


# Each test run looks at one page of each kind in one look, and -m "" at all pages in both: minutes.
@pytest.mark.parametrize(
    ("look", "is_whole"),
    [(LOOKS[0], False), *(pytest.param(look, True, marks=pytest.mark.slow) for look in LOOKS)],
    ids=str,
)
def test_no_page_breaks_a_rule_of_accessibility_or_of_the_content_policy(
    browser: Browser, office: Office, look: Look, is_whole: bool
):
    assert {address.name for address in office.pages} >= EXAMPLES
    pages = [address for address in office.pages if is_whole or address.name in EXAMPLES]
    faults: list[str] = []
    with visit(browser, office.base_url, look, session=office.owner) as visitor:
        for address in pages:
            visitor.complaints.clear()
            status = visitor.go(address.path)
            found = violations(visitor.page)
            found += [text for text in visitor.complaints if not _is_expected(text, status)]
            if status >= 500:
                found.append(f"status {status}")
            faults += [f"{address.name}: {fault}" for fault in found]

    assert not faults, "\n".join(faults)


def test_no_page_scrolls_sideways_on_the_narrowest_screen(browser: Browser, office: Office):
    with visit(browser, office.base_url, NARROWEST, session=office.owner) as visitor:
        wide = []
        for address in office.pages:
            visitor.go(address.path)
            if visitor.scrolls_sideways():
                wide.append(address.name)

    assert not wide


def test_no_list_of_the_office_is_cut_off_at_1280_pixels(browser: Browser, office: Office):
    with visit(browser, office.base_url, LOOKS[0], session=office.owner) as visitor:
        cut, lists = [], 0
        for address in office.pages:
            if not address.name.startswith("admin-") or address.name.endswith("-one"):
                continue
            visitor.go(address.path)
            widths = visitor.page.locator("#changelist .results").evaluate_all(
                "all => all.map(list => list.scrollWidth - list.clientWidth)"
            )
            lists += len(widths)
            cut += [address.name for more in widths if more > 0]

    assert lists
    assert not cut


def _is_expected(complaint: str, status: int) -> bool:
    """The browser reports the status of a page that is missing on purpose."""
    return status == 404 and "404" in complaint
