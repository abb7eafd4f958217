"""Every page, of guests and of staff, in a real browser: accessible, silent, and as wide as the screen."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page

from tests.browser.chromium import Language, Look, Scheme, visit
from tests.browser.conftest import Office

LOOKS = (
    Look(width=1280, scheme="light", language="es-mx"),
    Look(width=375, scheme="dark", language="en"),
)
GUESTS_EXAMPLES = {
    *("home", "property-confirmed", "booking-held", "booking-confirmed", "change-dates-seen", "cancel"),
    *("my_bookings", "terms"),
}
STAFFS_EXAMPLES = {
    *("queue-dashboard", "queue-jobs", "queue-failures", "queue-schedule", "queue-alerts", "queue-bulk"),
    *("job-failed", "admin", "admin-booking", "admin-booking-one", "office-occupancy", "office-explanation"),
}
NARROWEST = Look(width=320, height=640)
WCAG_2_2_AA = {"type": "tag", "values": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]}
# Of those, what a page may break in one scheme or at one width and keep in another.
OF_THE_LOOK = {"type": "rule", "values": ["color-contrast", "link-in-text-block", "target-size"]}
_AXE = Axe()

_TORN_SUMS = r"""() => {
  const torn = [], range = new Range();
  const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (texts.nextNode())
    for (const sum of texts.currentNode.data.matchAll(/[−-]?\$[\d,.]+\sMXN/g)) {
      range.setStart(texts.currentNode, sum.index);
      range.setEnd(texts.currentNode, sum.index + sum[0].length);
      const lines = new Set([...range.getClientRects()].map(box => Math.round(box.top)));
      if (lines.size > 1) torn.push(sum[0]);
    }
  return torn;
}"""


def violations(page: Page, rules: Mapping[str, object] = WCAG_2_2_AA) -> list[str]:
    """Return what axe-core finds against WCAG 2.2 A and AA: the rule, and the elements that break it."""
    # Without preloading: axe would copy style sheets into the page, which the content policy rightly refuses.
    results = _AXE.run(page, options={"runOnly": rules, "preload": False})
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
    assert {address.name for address in office.pages} >= STAFFS_EXAMPLES
    pages = [address for address in office.pages if is_whole or address.name in STAFFS_EXAMPLES]
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


# The words differ from language to language, and not what the browser finds of a page's build.
@pytest.mark.parametrize("is_whole", [False, pytest.param(True, marks=pytest.mark.slow)])
@pytest.mark.parametrize("language", ["es-mx", pytest.param("en", marks=pytest.mark.slow)])
def test_guests_pages_are_as_good_in_both_languages_and_schemes_on_a_telephone_and_a_desk(
    browser: Browser, office: Office, language: Language, is_whole: bool
):
    assert {address.name for address in office.pages} >= GUESTS_EXAMPLES
    pages = [each for each in office.pages if not each.is_private]
    faults: list[str] = []
    with visit(browser, office.base_url, Look(width=375, language=language)) as visitor:
        for address in pages:
            if not is_whole and address.name not in GUESTS_EXAMPLES:
                continue
            status = visitor.go(address.path)
            found = violations(visitor.page)
            found += _seen_at(visitor.page, 375, "dark") + _seen_at(visitor.page, 1280, "dark", "light")
            found += [text for text in visitor.complaints if not _is_expected(text, status)]
            visitor.complaints.clear()
            faults += [f"{address.name}: {fault}" for fault in found]

    assert not faults, "\n".join(faults)


def _seen_at(page: Page, width: int, *schemes: Scheme) -> list[str]:
    """Return what is wrong with a page that is open, at a width and in schemes, without loading it again."""
    page.set_viewport_size({"width": width, "height": 900})
    faults = [f"{sum_of_money} is torn" for sum_of_money in page.evaluate(_TORN_SUMS)]
    for scheme in schemes:
        page.emulate_media(color_scheme=scheme)
        faults += [f"{scheme}: {fault}" for fault in violations(page, OF_THE_LOOK)]
    return [f"at {width}: {fault}" for fault in faults]


def test_no_page_scrolls_sideways_on_the_narrowest_screen(browser: Browser, office: Office):
    with visit(browser, office.base_url, NARROWEST, session=office.owner) as visitor:
        wide = []
        for address in office.pages:
            visitor.go(address.path)
            if visitor.scrolls_sideways():
                wide.append(address.name)

    assert not wide


def test_no_list_of_the_office_is_cut_off_on_a_desk_or_a_tablet(browser: Browser, office: Office):
    with visit(browser, office.base_url, LOOKS[0], session=office.owner) as visitor:
        cut, lists = [], 0
        for address in office.pages:
            if not address.name.startswith("admin-") or address.name.endswith("-one"):
                continue
            visitor.go(address.path)
            for width in (1280, 1024):
                visitor.page.set_viewport_size({"width": width, "height": 900})
                beyond = visitor.page.locator("#changelist .results").evaluate_all(
                    "all => all.map(list => list.scrollWidth - list.clientWidth)"
                )
                lists += len(beyond)
                cut += [f"{address.name} at {width}" for more in beyond if more > 0]

    assert lists
    assert not cut


def _is_expected(complaint: str, status: int) -> bool:
    """The browser reports the status of a page that is missing on purpose."""
    return status == 404 and "404" in complaint
