"""The jobs about a booking as its page shows them: what each does, how it stands, and why it waits."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from bookings.models import Booking
from payments import job_subjects
from procrastinate_tasks.presentation import stories_of
from procrastinate_tasks.queries import why_not_running
from procrastinate_tasks.viewer.queries.jobs import JobQuery, JobRow, list_jobs
from procrastinate_tasks.viewer.rows import moment_of_interest, short_error

MOST_SHOWN = 15
_WAIT_OR_RUN = ("todo", "doing")


@dataclass(frozen=True, slots=True, kw_only=True)
class BookingJob:
    """A job of a booking; ``why`` says what it waits for, or how it failed."""

    id: int
    sentence: str
    state: str
    at: datetime | None
    why: str


def read_jobs(booking: Booking) -> tuple[BookingJob, ...]:
    """Return the booking's newest jobs: first those that wait or run, explained, then what failed."""
    ids = job_subjects.find_job_ids(job_subjects.references_of([booking.pk]))
    found = list_jobs(JobQuery(ids=ids)).rows if ids else ()
    rows = sorted(found, key=lambda row: (row.status not in _WAIT_OR_RUN, row.status != "failed", -row.id))
    rows = rows[:MOST_SHOWN]
    stories = stories_of(rows)
    reasons = {row.id: why_not_running(row.id).sentence for row in rows if row.status in _WAIT_OR_RUN}
    return tuple(_show(row, stories[row.id].sentence, reasons.get(row.id, "")) for row in rows)


def _show(row: JobRow, sentence: str, reason: str) -> BookingJob:
    error = short_error(row.last_exception, row.last_message) if row.last_exception else ""
    return BookingJob(
        id=row.id,
        sentence=sentence,
        state=row.state.value,
        at=moment_of_interest(row),
        why=reason or (error if row.status == "failed" else ""),
    )
