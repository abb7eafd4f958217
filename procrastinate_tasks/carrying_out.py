"""Carries an action out: once for each form, in one transaction with its record, without an exception."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from datetime import timedelta

from django.db import DatabaseError, transaction
from procrastinate.contrib.django.django_connector import DjangoConnector
from procrastinate.contrib.django.settings import settings as procrastinate_settings
from procrastinate.exceptions import ConnectorException
from psycopg.errors import DeadlockDetected, LockNotAvailable

from procrastinate_tasks import audit
from procrastinate_tasks.action_policies import Action, Refusal
from procrastinate_tasks.action_reports import ActionReport, Actor, TargetReport, refuse_all
from procrastinate_tasks.audit import Request
from procrastinate_tasks.models import ActionOutcome, TargetType
from procrastinate_tasks.statements import statement

logger = logging.getLogger(__name__)

LONGEST_LOCK_WAIT = timedelta(seconds=5)


def make_request(
    action: Action, target_type: TargetType, targets: Iterable[str], *, actor: Actor, reason: str, token: str
) -> Request:
    targets = tuple(dict.fromkeys(targets))
    return Request(
        action=action,
        target_type=target_type,
        targets=targets,
        actor=actor,
        reason=reason.strip(),
        token=token,
        group=audit.group_of(token, action=action, targets=targets, actor=actor),
    )


def carry_out(request: Request, effect: Callable[[], tuple[TargetReport, ...]]) -> ActionReport:
    """Do it and record it in one transaction, or record that it failed."""
    with transaction.atomic(using=procrastinate_settings.DATABASE_ALIAS):
        earlier = audit.find_earlier(request)
        if earlier is not None:
            return earlier
        targets = do_or_fail(request, effect)
        audit.record(request, targets)
    audit.log(request, targets)
    return ActionReport(action=request.action, targets=targets, group=request.group)


def do_or_fail(request: Request, effect: Callable[[], tuple[TargetReport, ...]]) -> tuple[TargetReport, ...]:
    try:
        with transaction.atomic(using=procrastinate_settings.DATABASE_ALIAS):
            _limit_lock_waits()
            return effect()
    except (DatabaseError, ConnectorException) as error:
        return _failure(request, error)


def _failure(request: Request, error: Exception) -> tuple[TargetReport, ...]:
    if isinstance(error.__cause__, LockNotAvailable | DeadlockDetected):
        return refuse_all(request.action, request.targets, Refusal.BUSY)
    logger.error("An action failed in the database", exc_info=error, extra={"action": request.action.value})
    return tuple(
        TargetReport(
            action=request.action,
            target=target,
            outcome=ActionOutcome.FAILED,
            detail={"problem": type(error.__cause__ or error).__name__},
        )
        for target in request.targets
    )


def _limit_lock_waits() -> None:
    """Answer within seconds, whoever holds a job's row: the setting ends with the transaction."""
    DjangoConnector(alias=procrastinate_settings.DATABASE_ALIAS).execute_query_one(
        statement("limit_lock_waits"), milliseconds=LONGEST_LOCK_WAIT // timedelta(milliseconds=1)
    )
