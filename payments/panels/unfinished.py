"""What was asked for and waits for too long, on the dashboard: each number is that of its list."""

from __future__ import annotations

from collections.abc import Iterator

from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _

from payments import attention, unfinished
from payments.doubts import IN_DOUBT_PARAMETER, find_in_doubt
from procrastinate_tasks.monitoring.panels import Figure, Notice, PanelContent


def tell_unfinished() -> PanelContent:
    """Return the dashboard's panel."""
    now = timezone.now()
    found = [(work, unfinished.find_overdue(work, now=now)) for work in unfinished.TOLD]
    figures = [_figure(str(work.label), overdue.count, overdue.address) for work, overdue in found]
    doubts = reverse("admin:payments_payment_changelist") + f"?{IN_DOUBT_PARAMETER}=yes"
    return PanelContent(
        figures=(*figures, _figure(_("Charges in doubt"), find_in_doubt(now=now).count(), doubts)),
        notices=(
            *(
                Notice(sentence=overdue.sentence, url=overdue.address, is_urgent=True)
                for _work, overdue in found
                if overdue.count
            ),
            *_tell_what_needs_a_person(),
        ),
        note=_("What waits for longer than it should. It is tried again by itself every five minutes."),
    )


def _figure(label: str, count: int, address: str) -> Figure:
    return Figure(label=label, value=str(count), url=address, needs_attention=count > 0)


def _tell_what_needs_a_person() -> Iterator[Notice]:
    for concern in attention.CONCERNS:
        rows = concern.rows()
        if rows.exists():
            yield Notice(sentence=concern.describe(rows), url=concern.address, is_urgent=True)
