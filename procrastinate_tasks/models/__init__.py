"""What the queue stores beside Procrastinate's own tables."""

from __future__ import annotations

from procrastinate_tasks.models.actions import (
    ActionOutcome,
    AuditEntry,
    BulkItem,
    BulkOperation,
    BulkState,
    Channel,
    TargetType,
)
from procrastinate_tasks.models.faults import Fault
from procrastinate_tasks.models.jobs import (
    Job,
    JobAttempt,
    JobExpiry,
    JobLog,
    JobProgress,
    JobStack,
    Outcome,
    UniqueJob,
)
from procrastinate_tasks.models.monitoring import (
    AlertNotice,
    AlertRound,
    AlertState,
    Release,
    RollupProgress,
    TaskRollup,
    TaskTotal,
)
from procrastinate_tasks.models.queues import LiveWorker, QueueRule, ScheduleState, TaskPause

__all__ = [
    "ActionOutcome",
    "AlertNotice",
    "AlertRound",
    "AlertState",
    "AuditEntry",
    "BulkItem",
    "BulkOperation",
    "BulkState",
    "Channel",
    "Fault",
    "Job",
    "JobAttempt",
    "JobExpiry",
    "JobLog",
    "JobProgress",
    "JobStack",
    "LiveWorker",
    "Outcome",
    "QueueRule",
    "Release",
    "RollupProgress",
    "ScheduleState",
    "TargetType",
    "TaskPause",
    "TaskRollup",
    "TaskTotal",
    "UniqueJob",
]
