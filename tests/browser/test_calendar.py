"""The calendar of a home, clicked; what it does with the form is what typing would do."""

from __future__ import annotations

from datetime import date, timedelta

from playwright.sync_api import Browser

from tests.browser.chromium import Look, visit
from tests.browser.conftest import Office


def test_two_clicks_fill_the_form_in_and_a_third_begins_anew(browser: Browser, office: Office):
    path = next(address.path for address in office.pages if address.name == "property")
    with visit(browser, office.base_url, Look(width=375)) as visitor:
        visitor.go(path)
        page = visitor.page
        page.get_by_role("link", name="→").click()
        free = page.locator("[data-state=free] button")
        dates = [
            cell.get_attribute("data-day") or ""
            for cell in page.locator("[data-state=free]").element_handles()
        ]
        first = next(index for index, day in enumerate(dates) if dates[index + 1] == _day_after(day))
        free.nth(first).click()
        arrival = page.input_value("[name=check_in]"), page.input_value("[name=check_out]")
        free.nth(first + 1).click()
        both = page.input_value("[name=check_in]"), page.input_value("[name=check_out]")
        said = page.locator("[data-words]").inner_text()
        focused = page.evaluate("document.activeElement.className")
        free.nth(first + 2).click()

        assert arrival == (dates[first], "")
        assert both == (dates[first], dates[first + 1])
        assert said == "Fechas elegidas. Pide el total." and "button" in focused
        assert page.input_value("[name=check_in]") == dates[first + 2]
        assert not visitor.complaints


def test_without_scripts_the_days_are_words_and_no_buttons(browser: Browser, office: Office):
    path = next(address.path for address in office.pages if address.name == "property")
    with visit(browser, office.base_url, Look(has_scripts=False)) as visitor:
        visitor.go(path)

        assert visitor.page.locator("#calendar button").count() == 0
        assert "ocupada" in (visitor.page.locator("[data-state=taken]").first.get_attribute("title") or "")


def _day_after(day: str) -> str:
    return (date.fromisoformat(day) + timedelta(days=1)).isoformat()
