"""People act in real browsers: by keyboard, two at once, without scripts, and without the permission."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from django.contrib.auth.models import Permission, User
from django.db import connection
from django.urls import reverse
from playwright.sync_api import Browser, Page, expect

from procrastinate_tasks.jobs.deferring import defer
from procrastinate_tasks.models import AuditEntry, Job
from tests.browser import stage
from tests.browser.chromium import Look, Visit, visit
from tests.browser.conftest import Office

HARMLESS = "bookings.tasks.mark_expired_holds"
RETRY = "Reintentar"
_MOST_TABS = 80


def make_failed_job() -> int:
    """Return a job that failed, and that may be retried without a question."""
    job_id = defer(HARMLESS, {}, queueing_lock=None)
    assert job_id is not None
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE procrastinate_jobs SET status = 'failed', attempts = 1 WHERE id = %s", [job_id]
        )
    return job_id


def status_of(job_id: int) -> str:
    return stage.ask(lambda: str(Job.objects.get(pk=job_id).status))


def outcomes_of(job_id: int) -> list[str]:
    """Return what became of each try to act on a job, the first first."""
    entries = AuditEntry.objects.filter(target_id=str(job_id)).order_by("id")
    return stage.ask(lambda: list(entries.values_list("outcome", flat=True)))


@pytest.fixture
def failed_job(office: Office) -> int:
    return stage.ask(make_failed_job)


@pytest.fixture
def owner(browser: Browser, office: Office) -> Iterator[Visit]:
    with visit(browser, office.base_url, Look(), session=office.owner) as opened:
        yield opened


@pytest.fixture
def reader(browser: Browser, office: Office) -> Iterator[Visit]:
    """Somebody who may see jobs, and do nothing to them."""

    def sign_in() -> str:
        user, _ = User.objects.get_or_create(username="eva", is_staff=True)
        user.user_permissions.set(Permission.objects.filter(codename="view_job"))
        return stage.sign_in(user)

    with visit(browser, office.base_url, Look(), session=stage.ask(sign_in)) as opened:
        yield opened


def page_of(job_id: int) -> str:
    return reverse("admin:queue_job", args=[job_id])


def retry_button(page: Page):
    return page.get_by_role("button", name=RETRY, exact=True)


def tab_to(page: Page, selector: str) -> None:
    """Press Tab until what the selector names has the focus, and see that the eye can find it."""
    for _ in range(_MOST_TABS):
        page.keyboard.press("Tab")
        if page.evaluate("selector => document.activeElement.matches(selector)", selector):
            ring = page.evaluate(
                "() => { const s = getComputedStyle(document.activeElement);"
                " return s.outlineStyle !== 'none' || s.boxShadow !== 'none' }"
            )
            assert ring, f"the focus on {selector} cannot be seen"
            return
    raise AssertionError(f"{selector} is not reached by {_MOST_TABS} tabs")


def test_a_failed_job_is_found_opened_and_retried_by_keyboard_and_the_list_is_as_it_was(
    owner: Visit, failed_job: int
):
    listed = f"{reverse('admin:queue_jobs')}?tab=failed&task={HARMLESS}"
    owner.go(listed)
    tab_to(owner.page, f"a[href$='/queue/jobs/{failed_job}/']")
    owner.page.keyboard.press("Enter")
    owner.page.wait_for_url(re.compile(rf"/jobs/{failed_job}/"))

    tab_to(owner.page, ".jv-offers button")
    owner.page.keyboard.press("Enter")
    expect(owner.page.locator("body")).to_contain_text(re.compile("espera|Listo"))
    assert status_of(failed_job) == "todo"

    owner.page.go_back()
    owner.page.go_back()
    assert owner.page.url.endswith(listed.partition("?")[2])
    assert owner.complaints == []


def test_of_two_people_who_retry_a_job_at_once_one_does_and_the_other_reads_why_not(
    browser: Browser, office: Office, owner: Visit, failed_job: int
):
    with visit(browser, office.base_url, Look(), session=office.owner) as colleague:
        owner.go(page_of(failed_job))
        colleague.go(page_of(failed_job))

        retry_button(owner.page).click()
        retry_button(colleague.page).click()

        colleague.page.wait_for_load_state()
        expect(colleague.page.get_by_role("main")).not_to_contain_text("500")
    assert outcomes_of(failed_job) == ["applied", "refused"]
    assert status_of(failed_job) == "todo"


def test_a_double_click_acts_once(owner: Visit, failed_job: int):
    owner.go(page_of(failed_job))

    retry_button(owner.page).dblclick()
    expect(retry_button(owner.page)).to_have_count(0)

    assert outcomes_of(failed_job) == ["applied"]


def test_everything_works_without_scripts(browser: Browser, office: Office, failed_job: int):
    with visit(browser, office.base_url, Look(has_scripts=False), session=office.owner) as plain:
        plain.go(page_of(failed_job))
        retry_button(plain.page).click()
        plain.page.wait_for_load_state()

    assert status_of(failed_job) == "todo"


def test_who_may_only_look_sees_no_button_and_a_form_made_by_hand_is_refused_and_recorded(
    reader: Visit, failed_job: int
):
    reader.go(page_of(failed_job))
    assert retry_button(reader.page).count() == 0
    assert reader.page.get_by_text("Mostrar los argumentos").count() == 0

    status = reader.page.evaluate(
        """async ([address, job]) => {
            const token = document.cookie.match(/csrftoken=([^;]+)/)?.[1] ?? "";
            const body = new URLSearchParams({action: "retry", job, token: crypto.randomUUID()});
            const headers = {"X-CSRFToken": token};
            return (await fetch(address, {method: "POST", body, headers})).status;
        }""",
        [reverse("admin:queue_act"), str(failed_job)],
    )

    assert status == 403
    assert outcomes_of(failed_job) == ["refused"]
    assert status_of(failed_job) == "failed"


def test_a_page_that_is_left_open_shows_what_has_changed_and_keeps_its_place(owner: Visit, failed_job: int):
    owner.page.set_viewport_size({"width": 1280, "height": 400})
    owner.go(page_of(failed_job))
    owner.page.get_by_label("Actualizar").select_option("5")
    owner.page.evaluate("window.scrollTo(0, 120)")

    stage.ask(lambda: Job.objects.filter(pk=failed_job).update(status="succeeded"))

    expect(owner.page.locator("[data-live] .jv-job-state")).to_contain_text("Completado", timeout=20_000)
    assert owner.page.evaluate("window.scrollY") == 120


def test_a_page_that_is_left_open_says_that_its_session_has_ended(owner: Visit, failed_job: int):
    owner.go(page_of(failed_job))
    owner.page.get_by_label("Actualizar").select_option("5")

    owner.page.context.clear_cookies()

    expect(owner.page.get_by_text("Su sesión terminó.")).to_be_visible(timeout=20_000)
    owner.page.get_by_role("link", name="Inicie sesión para volver aquí").click()
    expect(owner.page).to_have_url(re.compile(r"/login/\?next="))


def test_a_time_is_the_same_instant_wherever_the_browser_is(owner: Visit, failed_job: int):
    owner.go(page_of(failed_job))

    titles = owner.page.eval_on_selector_all("time[title]", "all => all.map(one => one.title)")

    assert titles
    assert all("UTC" in title for title in titles)
