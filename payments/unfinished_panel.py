"""What was asked for and waits for too long, on the dashboard: each number is that of its list."""

from __future__ import annotations

from django.utils import timezone
from django.utils.translation import gettext as _

from payments import unfinished
from procrastinate_tasks.presentation import Figure, Notice, PanelContent


def tell_unfinished() -> PanelContent:
    """Return the dashboard's panel."""
    now = timezone.now()
    found = [(work, unfinished.find_overdue(work, now=now)) for work in unfinished.TOLD]
    return PanelContent(
        figures=tuple(
            Figure(
                label=str(work.label),
                value=str(overdue.count),
                url=overdue.address,
                needs_attention=overdue.count > 0,
            )
            for work, overdue in found
        ),
        notices=tuple(
            Notice(sentence=overdue.sentence, url=overdue.address, is_urgent=True)
            for _work, overdue in found
            if overdue.count
        ),
        note=_("What waits for longer than it should. It is tried again by itself every five minutes."),
    )
