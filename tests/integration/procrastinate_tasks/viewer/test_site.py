"""The viewer's site: who gets in, what every page keeps to, and the addresses that lead to it."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from django.contrib import admin
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone
from procrastinate.contrib.django.models import ProcrastinateJob

from procrastinate_tasks.actions import bulk
from procrastinate_tasks.actions.policies import Action
from procrastinate_tasks.actions.reports import Actor
from procrastinate_tasks.actions.services import act
from procrastinate_tasks.models import AuditEntry, Job
from procrastinate_tasks.monitoring import panels
from procrastinate_tasks.monitoring.panels import ExtraPage
from procrastinate_tasks.viewer.navigation import ENTRIES, Entry
from procrastinate_tasks.viewer.rendering import LIVE_HEADER
from procrastinate_tasks.viewer.site import JobViewerSite
from tests.integration.pages import english_words, read
from tests.integration.procrastinate_tasks.job_states import MAKERS, make_job, make_running
from tests.integration.procrastinate_tasks.viewer.office import (
    OPERATOR,
    address,
    browser_of,
    staff_client,
)

pytestmark = pytest.mark.django_db

_DATA = re.compile(
    r"<code.*?</code>|<pre.*?</pre>|<span class=\"jv-name\">.*?</span>|<dd>.*?</dd>|<option value.*?</option>"
    r"|<h1>sample.*?</h1>|<a href=\"[^\"]*/queue/jobs/\d+/\">.*?</a>|<td class=\"jv-cell-queue\">.*?</td>"
    r"|<div class=\"breadcrumbs\">.*?</div>|<q>.*?</q>",
    re.DOTALL,
)


def pages_of_ours() -> list[str]:
    job_id = make_job(status="failed")
    waiting, running = make_job(), make_running()
    report = act(Action.CANCEL, job_ids=[waiting, running], actor=Actor(name="ana"), reason="otra vez")
    return [
        address("queue_jobs"),
        address("queue_jobs") + "?tab=blocked",
        address("queue_jobs") + "?queue=nada",
        address("queue_job", job_id),
        address("queue_job", 10**9),
        address("queue_confirm") + f"?action=retry&job={job_id}&job={running}",
        address("queue_confirm") + f"?action=abort&job={running}",
        address("queue_result", report.group),
        address("queue_bulk"),
        address("queue_bulk_new") + "?tab=failed&action=retry",
        address("queue_audit"),
    ]


NONE_AT_ALL = ("Nobody has acted", "There has been no")
OF_OTHERS = "those of everybody need a permission"


def pages_of_what_people_did() -> dict[str, str]:
    job_id = make_job(status="failed")
    act(Action.RETRY, job_ids=[job_id], actor=Actor(name="ana"))
    bulk.start(Action.RETRY, job_ids=[make_job(status="failed")], filters={}, actor=Actor(name="ana"))
    return {
        "job": address("queue_job", job_id),
        "audit": address("queue_audit"),
        "bulk": address("queue_bulk"),
        "filtered audit": address("queue_audit") + "?action=cancel",
    }


def test_who_may_not_see_what_others_did_is_not_told_that_nobody_did(viewer: Client):
    for url in pages_of_what_people_did().values():
        page = read(viewer.get(url))
        assert not any(sentence in page for sentence in NONE_AT_ALL), url
        assert OF_OTHERS in page, url


def test_who_may_see_what_everybody_did_is_told_so(operator: Client):
    untouched = address("queue_job", make_job())
    assert NONE_AT_ALL[0] in read(operator.get(untouched))

    for url in (untouched, *pages_of_what_people_did().values()):
        assert OF_OTHERS not in read(operator.get(url)), url


@pytest.mark.parametrize(
    ("field", "days", "count"),
    [("since", 0, 1), ("since", 1, 0), ("until", 0, 1), ("until", -1, 0), ("since", 2_700_000, 1)],
)
def test_the_audit_log_is_narrowed_to_whole_days(operator: Client, field: str, days: int, count: int):
    act(Action.RETRY, job_ids=[make_job(status="failed")], actor=Actor(name="ana"))
    day = timezone.localdate() + timedelta(days=days)

    page = operator.get(address("queue_audit"), {field: day.isoformat()})

    assert len(page.context["entries"]) == count


def test_the_project_s_admin_has_the_viewer_and_not_procrastinate_s_own_page():
    assert isinstance(admin.site, JobViewerSite)
    assert not admin.site.is_registered(ProcrastinateJob)
    assert admin.site.is_registered(Job)


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry.url_name)
def test_a_page_is_for_staff_who_may_see_jobs(entry: Entry):
    path = address(entry.url_name)

    assert Client().get(path)["Location"].startswith(address("login"))
    assert staff_client("view_session").get(path).status_code == 403
    assert staff_client("view_job").get(path).status_code == 200


def test_the_navigation_marks_the_page_one_is_on(viewer: Client):
    html = viewer.get(address("queue_jobs")).content.decode()

    assert re.findall(r'<nav class="jv-nav".*?</nav>', html, re.DOTALL)[0].count('aria-current="page"') == 1


def test_a_project_s_page_stands_in_the_navigation_of_who_may_open_it(
    viewer: Client, monkeypatch: pytest.MonkeyPatch
):
    page = ExtraPage(title="Events", url_name="admin:auth_user_changelist", permission="auth.view_user")
    monkeypatch.setattr(panels, "_pages", [page])
    path = address("auth_user_changelist")

    assert path not in viewer.get(address("queue_jobs")).content.decode()
    html = staff_client("view_job", "view_user").get(address("queue_jobs")).content.decode()
    assert f'<li><a href="{path}">Events</a></li>' in html


def test_the_former_addresses_lead_to_the_new_pages(operator: Client):
    job_id = make_job()

    assert operator.get(address("procrastinate_tasks_job_changelist"))["Location"] == address("queue_jobs")
    shown = operator.get(address("procrastinate_tasks_job_change", job_id))
    assert shown["Location"] == address("queue_job", job_id)
    assert operator.get(address("procrastinate_tasks_job_change", "abc"))["Location"] == address(
        "queue_job", 0
    )


def test_nothing_can_be_added_changed_or_deleted():
    root = browser_of(User.objects.create_superuser("root"))
    job_id = make_job()

    answers = [
        root.get(address("procrastinate_tasks_job_add")),
        root.post(address("procrastinate_tasks_job_change", job_id), {"priority": 5}),
        root.post(address("procrastinate_tasks_job_delete", job_id), {"post": "yes"}),
    ]

    assert [answer.status_code for answer in answers] == [403, 403, 403]


# --- What every page keeps to -----------------------------------------------------------------------------


def test_pages_work_under_a_strict_content_security_policy(operator: Client):
    for path in pages_of_ours():
        html = operator.get(path).content.decode()

        assert "<style" not in html
        assert not re.search(r"""\s(style|on\w+)=["']""", html)
        assert not re.search(r"<script(?![^>]*\bsrc=)", html)


def test_no_page_shows_an_english_word_to_who_reads_spanish():
    client = staff_client(*OPERATOR, name="olga", language="es-mx")

    found = {}
    for path in pages_of_ours():
        response = client.get(path)
        response.content = _DATA.sub("", response.content.decode()).encode()
        found[path] = english_words(read(response)) - {"olga", "ana", "sample"}

    assert {path: words for path, words in found.items() if words} == {}


def test_each_page_has_one_main_heading_and_named_tables_and_fields(operator: Client):
    for path in pages_of_ours():
        html = operator.get(path).content.decode()

        assert len(re.findall(r"<h1[ >]", html)) == 1, path
        assert html.count("<table") == html.count("<caption"), path
        labelled = set(re.findall(r'<label for="([^"]+)"', html))
        fields = set(
            re.findall(
                r'<(?:input|select|textarea)(?![^>]*type="(?:hidden|checkbox)")[^>]* id="([^"]+)"', html
            )
        )
        assert fields - {"nav-filter"} <= labelled, path


def test_ids_on_a_page_are_unique(operator: Client):
    for path in pages_of_ours():
        ids = re.findall(r'\sid="([^"]+)"', operator.get(path).content.decode())

        assert len(ids) == len(set(ids)), path


@pytest.mark.parametrize("state", [state for state in MAKERS if state != "pruned"])
def test_each_state_is_a_word_and_an_icon(operator: Client, state: str):
    html = operator.get(address("queue_job", MAKERS[state]())).content.decode()

    badge = re.search(
        r'<span class="jv-state [^>]*><svg aria-hidden="true"><use href="#(\S+)">.*?</svg>(.*?)<', html
    )
    assert badge is not None
    assert f'<symbol id="{badge[1]}"' in html
    assert badge[2]


# --- The live region --------------------------------------------------------------------------------------


def test_the_live_region_comes_alone_and_unchanged_costs_nothing(operator: Client):
    make_job(status="succeeded")
    path = address("queue_jobs")

    first = operator.get(path, headers={LIVE_HEADER: "1"})
    again = operator.get(path, headers={LIVE_HEADER: "1", "If-None-Match": first["ETag"]})
    make_job()
    changed = operator.get(path, headers={LIVE_HEADER: "1", "If-None-Match": first["ETag"]})

    assert "<html" not in first.content.decode()
    assert "csrfmiddlewaretoken" not in first.content.decode()
    assert (again.status_code, again.content) == (304, b"")
    assert changed.status_code == 200


def test_a_session_that_ended_is_not_taken_for_a_region(operator: Client):
    operator.logout()

    assert operator.get(address("queue_jobs"), headers={LIVE_HEADER: "1"}).status_code == 401


# --- The audit log ----------------------------------------------------------------------------------------


def test_the_log_shows_everybody_s_actions_to_who_may_see_them_and_one_s_own_to_the_rest(operator: Client):
    user = User.objects.create_user("raul", is_staff=True)
    own = staff_client("view_job", "retry_job", name="rita")
    act(Action.RETRY, job_ids=[make_job(status="failed")], actor=Actor(name="raul", user_id=user.pk))
    rita = User.objects.get(username="rita")
    act(Action.CANCEL, job_ids=[make_job()], actor=Actor(name="rita", user_id=rita.pk))

    seen = {
        name: [shown.entry.actor for shown in client.get(address("queue_audit")).context["entries"]]
        for name, client in (("operator", operator), ("rita", own))
    }

    assert seen == {"operator": ["rita", "raul"], "rita": ["rita"]}


def test_the_log_is_filtered_paged_and_exported(operator: Client):
    for number in range(60):
        act(Action.CANCEL, job_ids=[make_job()], actor=Actor(name=f"ana{number % 2}"), reason="=1+1")

    first = operator.get(address("queue_audit"), {"who": "ana1", "outcome": "applied", "action": "cancel"})
    assert len(first.context["entries"]) == 30
    everything = operator.get(address("queue_audit"))
    assert len(everything.context["entries"]) == 50
    older = operator.get(address("queue_audit") + everything.context["older_url"])
    assert len(older.context["entries"]) == 10
    assert operator.get(address("queue_audit"), {"since": "2999-01-01"}).context["entries"] == []

    table = b"".join(operator.get(address("queue_audit"), {"format": "csv"}).streaming_content).decode()  # type: ignore[attr-defined]
    assert table.count("\r\n") == 61
    assert "'=1+1" in table


@pytest.mark.parametrize("query", [{"since": "x"}, {"before": "9" * 40}, {"who": "\x00"}, {"action": "nope"}])
def test_no_address_of_the_log_ends_in_an_error(operator: Client, query: dict[str, str]):
    assert operator.get(address("queue_audit"), query).status_code == 200
    assert not AuditEntry.objects.exists()
