"""What was asked for and waits for too long, on the dashboard: each number is that of its list."""

from __future__ import annotations

from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _

from payments import attention, unfinished
from payments.doubts import IN_DOUBT_PARAMETER, find_in_doubt
from payments.queries import count_each
from procrastinate_tasks.monitoring.panels import Figure, Notice, PanelContent


def tell_unfinished() -> PanelContent:
    """Return the dashboard's panel; where nothing waits, it takes one statement."""
    now = timezone.now()
    needing = [(concern, concern.rows()) for concern in attention.CONCERNS]
    in_doubt, *counts = count_each(
        [
            find_in_doubt(now=now),
            *(unfinished.overdue_rows(work, now=now) for work in unfinished.TOLD),
            *(rows for _concern, rows in needing),
        ]
    )
    waiting = [
        (work, unfinished.overdue_of(work, count=count, now=now))
        for work, count in zip(unfinished.TOLD, counts, strict=False)
    ]
    persons = zip(needing, counts[len(waiting) :], strict=True)
    doubts = reverse("admin:payments_payment_changelist") + f"?{IN_DOUBT_PARAMETER}=yes"
    return PanelContent(
        figures=(
            *(_figure(str(work.label), overdue.count, overdue.address) for work, overdue in waiting),
            _figure(_("Charges in doubt"), in_doubt, doubts),
        ),
        notices=(
            *(_notice(overdue.sentence, overdue.address) for _work, overdue in waiting if overdue.count),
            *(
                _notice(concern.describe(rows), concern.address)
                for (concern, rows), count in persons
                if count
            ),
        ),
        note=_("What waits for longer than it should. It is tried again by itself every five minutes."),
    )


def _figure(label: str, count: int, address: str) -> Figure:
    return Figure(label=label, value=str(count), url=address, needs_attention=count > 0)


def _notice(sentence: str, address: str) -> Notice:
    return Notice(sentence=sentence, url=address, is_urgent=True)
