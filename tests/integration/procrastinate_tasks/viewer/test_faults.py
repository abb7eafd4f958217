"""A fault: since which release, how often, its text, its jobs; found from a job, by fingerprint or error."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from procrastinate_tasks.exceptions import UnknownFault
from procrastinate_tasks.jobs import faults
from procrastinate_tasks.models import AuditEntry, Fault, JobAttempt, Release
from procrastinate_tasks.monitoring.alerts.queue_rules import find_new_faults
from procrastinate_tasks.monitoring.snapshot import take_snapshot
from procrastinate_tasks.queries.failures import JOBS_PER_PAGE
from tests.integration.pages import read
from tests.integration.procrastinate_tasks.job_states import TASK, make_job
from tests.integration.procrastinate_tasks.overview import a_failure, page
from tests.integration.procrastinate_tasks.viewer.office import OPERATOR, address, listed_ids, staff_client

pytestmark = pytest.mark.django_db

HOUR = timedelta(hours=1)
FAULT = {"task": TASK, "fault": "f1", "exception": "sample.errors.Broken"}
KEY = faults.key_of_fault(task=TASK, fingerprint="f1", exception_class="sample.errors.Broken")


@pytest.fixture
def now() -> datetime:
    return timezone.now()


@pytest.fixture
def staff() -> Client:
    return staff_client(*OPERATOR)


def release(name: str, *, since: datetime) -> None:
    Release.objects.create(name=name, first_seen_at=since)


def strike(*, at: datetime, **columns: Any) -> int:
    job_id = make_job(status="failed")
    a_failure(finished_at=at, job_id=job_id, **columns)
    return job_id


def sentences(client: Client) -> str:
    return " ".join(concern.sentence for concern in page(client, "queue_dashboard").context["concerns"])


# --- Its page ---------------------------------------------------------------------------------------------


def test_a_fault_tells_in_which_release_it_was_seen_first_and_last(staff: Client, now: datetime):
    for release_name, age in (("v40", 30), ("v41", 20), ("v42", 1.1)):
        strike(at=now - age * HOUR, release=release_name, traceback="Traceback …")

    text = read(page(staff, "queue_failures", **FAULT))

    assert "First seen 1 d ago · v40" in text
    assert "Last seen 1 h ago · v42" in text
    assert "it broke" in text
    assert "Traceback …" in text
    assert "2 runs in 24 h" in page(staff, "queue_failures", **FAULT).content.decode()


def test_the_first_release_is_known_when_its_runs_were_pruned(staff: Client, now: datetime):
    strike(at=now - 50 * HOUR, release="v40")
    faults.note_faults(from_at=now - 60 * HOUR, until=now)
    JobAttempt.objects.all().delete()
    strike(at=now - HOUR, release="v42")
    faults.note_faults(from_at=now - 60 * HOUR, until=now)

    assert "First seen 2 d ago · v40" in read(page(staff, "queue_failures", **FAULT))


def test_runs_are_counted_by_hour(staff: Client, now: datetime):
    for minutes in (5, 6, 65, 23 * 60 + 55, 24 * 60 + 5):
        strike(at=now - timedelta(minutes=minutes))

    hours = page(staff, "queue_failures", **FAULT).context["hours"]

    assert (hours[-1], hours[-2], hours[0], sum(hours)) == (2, 1, 1, 4)


def test_its_jobs_are_paged_each_once(staff: Client, now: datetime):
    jobs = [strike(at=now - HOUR) for _ in range(JOBS_PER_PAGE + 5)]
    for job_id in jobs[:3]:
        a_failure(finished_at=now, job_id=job_id)

    first = page(staff, "queue_failures", **FAULT).context
    second = staff.get(first["older_url"]).context

    seen = [job.job_id for job, _url, _outcome in (*first["jobs"], *second["jobs"])]
    assert sorted(seen) == sorted(jobs)
    assert (len(first["jobs"]), second["older_url"]) == (JOBS_PER_PAGE, "")


# --- Finding it -------------------------------------------------------------------------------------------


def test_a_job_leads_to_the_page_of_its_fault(staff: Client, now: datetime):
    job_id = strike(at=now)

    link = f"{address('queue_failures')}?task={TASK}&amp;fault=f1&amp;exception=sample.errors.Broken"

    assert link in staff.get(address("queue_job", job_id)).content.decode()
    assert staff.get(link.replace("&amp;", "&")).context["group"].total == 1


@pytest.mark.parametrize("term", ["f1", "errors.Broken", "broke\nsomewhere", "IT BROKE", "errors.broken: it"])
def test_jobs_are_found_by_fingerprint_and_by_what_their_error_says(staff: Client, now: datetime, term: str):
    struck = strike(at=now)
    strike(at=now, fingerprint="f2", exception_class="KeyError", message="other")

    assert listed_ids(staff, q=term) == [struck]


def test_a_lock_that_is_also_in_an_error_means_the_lock(staff: Client, now: datetime):
    strike(at=now)
    locked = make_job(queueing_lock="somewhere")

    assert listed_ids(staff, q="somewhere") == [locked]


@pytest.mark.parametrize(("term", "count"), [("f1", 1), ("broken", 1), ("KEYERR", 1), ("nobody", 0)])
def test_faults_are_searched_by_fingerprint_and_text(staff: Client, now: datetime, term: str, count: int):
    strike(at=now)
    strike(at=now, fingerprint="f2", exception_class="KeyError", message="x")

    assert len(page(staff, "queue_failures", q=term).context["rows"]) == count


# --- New since a release ----------------------------------------------------------------------------------


def test_what_the_newest_release_brought_is_on_the_dashboard_and_an_alert(staff: Client, now: datetime):
    release("v41", since=now - 40 * HOUR)
    release("v42", since=now - 2 * HOUR)
    strike(at=now - 30 * HOUR, fingerprint="old", release="v41")
    strike(at=now - HOUR, fingerprint="old", release="v42")
    for _ in range(3):
        strike(at=now - HOUR, release="v42")
    faults.note_faults(from_at=now - 60 * HOUR, until=now)

    (finding,) = find_new_faults(take_snapshot())
    rows = page(staff, "queue_failures", new="yes").context["rows"]

    assert "1 fault is new since v42: Broken in" in sentences(staff)
    assert "3" in finding.words
    assert [group.fingerprint for group, _cells in rows] == ["f1"]
    assert "New" in read(page(staff, "queue_failures"))


# --- Muting -----------------------------------------------------------------------------------------------


def test_a_muted_fault_is_told_of_again_once_a_later_release_has_it(staff: Client, now: datetime):
    release("v42", since=now - 2 * HOUR)
    strike(at=now - HOUR, release="v42")
    faults.note_faults(from_at=now - 60 * HOUR, until=now)
    form = {"action": "mute_fault", "fault": KEY, "confirmed": "yes", "reason": "the supplier knows"}

    said = read(staff.post(address("queue_act"), form, follow=True))
    (muted, _cells), *_rest = page(staff, "queue_failures").context["rows"]
    told = sentences(staff)
    release("v43", since=now + HOUR)
    strike(at=now + 2 * HOUR, release="v43")
    (after, _cells), *_rest = page(staff, "queue_failures").context["rows"]

    assert "The fault is muted until a later release has it too." in said
    assert muted.is_muted
    assert "new since" not in told
    assert not after.is_muted
    assert "Release v43 has it" in read(page(staff, "queue_failures", **FAULT))
    assert AuditEntry.objects.get().target_type == "fault"


def test_a_fault_is_muted_before_the_roll_up_has_seen_it_and_told_of_again(now: datetime):
    strike(at=now)

    assert faults.mute_fault(key=KEY, by="Ana") is True
    assert faults.mute_fault(key=KEY, by="Luis") is False
    assert Fault.objects.get().muted_by == "Ana"
    assert faults.unmute_fault(key=KEY) is True
    assert faults.unmute_fault(key=KEY) is False


@pytest.mark.parametrize("key", ["", "x", "a\tb", KEY.replace("f1", "f9"), "\t" * 9])
def test_a_fault_that_nobody_knows_is_not_muted(now: datetime, key: str):
    strike(at=now)

    with pytest.raises(UnknownFault):
        faults.mute_fault(key=key, by="Ana")


def test_muting_needs_the_permission_to_retry(now: datetime):
    strike(at=now)
    vera = staff_client("view_job", name="vera")

    assert page(vera, "queue_failures", **FAULT).context["mute_url"] == ""
    answer = vera.post(address("queue_act"), {"action": "mute_fault", "fault": KEY, "confirmed": "yes"})
    assert answer.status_code == 403
