"""What the job viewer tells of the tasks of bookings, and how it finds the jobs of a booking."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from django.urls import reverse
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from bookings.models import Booking
from procrastinate_tasks.jobs.descriptions import (
    JobArgs,
    JobDescription,
    Kind,
    Related,
    RetrySafety,
    TaskDescription,
    describe_task,
)
from procrastinate_tasks.seeding.samples import Samples, offer_samples


def related_booking(booking: Booking) -> Related:
    """Return the link to a booking: its folio and the initials of its guest, no name."""
    return Related(
        label=f"{booking.folio} ({initials(booking.guest_name)})",
        url=reverse("admin:bookings_booking_change", args=[booking.pk]),
        key=f"booking:{booking.pk}",
    )


def initials(name: str) -> str:
    """Return the first letters of a name's words: ``Lucía Pérez`` is ``L. P.``"""
    return " ".join(f"{word[0].upper()}." for word in name.split()[:3])


def describe_alike(
    *, sentence: str | Promise, retry_reason: str | Promise, runbook: str | Promise
) -> Callable[[Sequence[JobArgs]], Mapping[int, JobDescription]]:
    """Return the teller of a task without arguments that may run as often as one likes."""

    def describe(jobs: Sequence[JobArgs]) -> dict[int, JobDescription]:
        description = JobDescription(
            sentence=str(sentence),
            retry_safety=RetrySafety.SAFE,
            retry_reason=str(retry_reason),
            runbook=str(runbook),
        )
        return {job.id: description for job in jobs}

    return describe


_RUNS_BY_ITSELF = _(
    "It runs by itself again, so one failure costs nothing. If it keeps failing, read the error of the last "
    "attempt: as a rule the database could not be reached."
)

describe_task(
    "bookings.tasks.mark_expired_bookings",
    TaskDescription(
        title=_("Complete ended stays"),
        kind=Kind.CALENDAR,
        describe=describe_alike(
            sentence=_("Completes the stays that have ended and owe nothing"),
            retry_reason=_("It changes only stays that are not completed yet."),
            runbook=_RUNS_BY_ITSELF,
        ),
    ),
)
describe_task(
    "bookings.tasks.mark_expired_holds",
    TaskDescription(
        title=_("Release lapsed holds"),
        kind=Kind.CALENDAR,
        describe=describe_alike(
            sentence=_("Releases the nights of holds whose time has run out"),
            retry_reason=_("It changes only holds that nobody is paying and that were not released yet."),
            runbook=_RUNS_BY_ITSELF,
        ),
    ),
)

offer_samples("bookings.tasks.mark_expired_bookings", Samples(weight=1))
offer_samples("bookings.tasks.mark_expired_holds", Samples(weight=2))
