"""The audit log's questions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import date, datetime, time, timedelta
from urllib.parse import urlencode

from django.db.models import QuerySet
from django.utils import timezone
from django.utils.dateparse import parse_date

from procrastinate_tasks.action_policies import Action
from procrastinate_tasks.models import ActionOutcome, AuditEntry, TargetType
from procrastinate_tasks.permissions import HasPermissions

ROWS_PER_PAGE = 50
VIEW_AUDIT = "procrastinate_tasks.view_audit"


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditFilter:
    """What the log's address says, as text; empty means anything."""

    who: str = ""
    action: str = ""
    outcome: str = ""
    target: str = ""
    name: str = ""
    since: str = ""
    until: str = ""

    def address(self, **changes: object) -> str:
        """Return the query string of the same filter with some of it changed."""
        values = {field.name: getattr(self, field.name) for field in fields(self)} | changes
        return "?" + urlencode({name: value for name, value in values.items() if value})


def read_audit_filter(parameters: Mapping[str, str]) -> AuditFilter:
    """Read a filter from an address; what makes no sense counts as nothing."""
    values = {
        field.name: parameters.get(field.name, "").strip()[:255].replace("\x00", "")
        for field in fields(AuditFilter)
    }
    allowed: dict[str, set[str]] = {"action": {*Action}, "outcome": {*ActionOutcome}, "target": {*TargetType}}
    for name, choices in allowed.items():
        values[name] = values[name] if values[name] in choices else ""
    for name in ("since", "until"):
        values[name] = values[name] if _read_day(values[name]) else ""
    return AuditFilter(**values)


def entries_for(chosen: AuditFilter, *, user: HasPermissions, user_id: object) -> QuerySet[AuditEntry]:
    """Return the entries a user may see, the latest first; without the permission, one's own."""
    entries = AuditEntry.objects.order_by("-id")
    if not user.has_perm(VIEW_AUDIT):
        entries = entries.filter(user_id=str(user_id))
    if chosen.since:
        entries = entries.filter(at__gte=_start_of(chosen.since))
    if chosen.until:
        entries = entries.filter(at__lt=_start_of(chosen.until) + timedelta(days=1))
    exact = {
        "actor": chosen.who,
        "action": chosen.action,
        "outcome": chosen.outcome,
        "target_type": chosen.target,
        "target_id": chosen.name,
    }
    return entries.filter(**{name: value for name, value in exact.items() if value})


def _read_day(text: str) -> date | None:
    try:
        day = parse_date(text) if text else None
    except ValueError:
        return None
    return day if day is not None and date(2000, 1, 1) <= day <= date(9000, 1, 1) else None


def _start_of(text: str) -> datetime:
    return timezone.make_aware(datetime.combine(_read_day(text) or date.max, time.min))
