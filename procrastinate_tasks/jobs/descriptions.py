"""What a project tells of its tasks and jobs: registered in its apps' ``job_presentation`` modules."""

from __future__ import annotations

import logging
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

from django.db import transaction
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from procrastinate.contrib.django.settings import settings as procrastinate_settings

from procrastinate_tasks.exceptions import PresentationTaken
from procrastinate_tasks.formatting import Amount

logger = logging.getLogger(__name__)

# Where describing many jobs at once fails: enough to find three bad ones among fifty.
_MOST_QUESTIONS = 32

# Of whose money a task is asked in one question.
_MOST_AT_ONCE = 1_000


class Kind(StrEnum):
    """What a task has to do with: the lists filter by it."""

    MONEY = "money"
    MAIL = "mail"
    CALENDAR = "calendar"
    OTHER = "other"


class RetrySafety(StrEnum):
    """Whether running a job once more can do harm."""

    SAFE = "safe"
    """It may run as often as one likes."""
    SAFE_BY_KEY = "safe_by_key"
    """It repeats nothing, because something outside recognises the repetition."""
    UNSAFE = "unsafe"
    """It may do something twice."""
    UNKNOWN = "unknown"
    """Nobody has said."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Related:
    """An object that a job is about; ``key`` is stable, such as ``booking:4521``."""

    label: str
    url: str
    key: str


@dataclass(frozen=True, slots=True, kw_only=True)
class JobDescription:
    """What a project tells of one job, in the active language.

    ``retry_reason`` says why a retry is safe or not; ``runbook`` what to do when the job fails.
    """

    sentence: str
    retry_safety: RetrySafety = RetrySafety.UNKNOWN
    retry_reason: str = ""
    related: tuple[Related, ...] = ()
    amount: Amount | None = None
    runbook: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class JobArgs:
    """A job as its task's ``describe`` gets it."""

    id: int
    args: Mapping[str, object]


class DescribableJob(Protocol):
    """What a description needs of a job; a row of ``Job`` has it."""

    @property
    def id(self) -> int: ...
    @property
    def task_name(self) -> str: ...
    @property
    def args(self) -> Mapping[str, object]: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskDescription:
    """What a project tells of a task.

    ``describe`` gets many jobs at once and answers their descriptions by job id: a list takes no query per
    row; a job it leaves out is shown by its task's title. ``amounts`` answers what money hangs on each, for
    sums over thousands of jobs; without it ``describe`` is asked. ``related_argument`` is the argument that
    names the object a job is about: lists filter by it, so there should be an index on it. A task that moves
    money is retried with a reason only.
    """

    title: str | Promise
    describe: Callable[[Sequence[JobArgs]], Mapping[int, JobDescription]]
    amounts: Callable[[Sequence[JobArgs]], Mapping[int, Amount]] | None = None
    kind: Kind = Kind.OTHER
    related_argument: str = ""
    moves_money: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class JobSearch:
    """Which jobs a searched term means: those with one of these values of an argument, and those ids.

    ``arguments`` maps an argument's name to the values, as text, that it may have; ``label`` says what was
    found.
    """

    label: str
    arguments: Mapping[str, Sequence[str]] = field(default_factory=dict)
    job_ids: tuple[int, ...] = ()


SearchResolver = Callable[[str], JobSearch | None]

_presentations: dict[str, TaskDescription] = {}


_resolvers: list[SearchResolver] = []


# --- Registering ------------------------------------------------------------------------------------------


def describe_task(task_name: str, presentation: TaskDescription) -> None:
    """Register what is told of a task.

    Raises:
        PresentationTaken: something is told of it already.
    """
    if task_name in _presentations:
        raise PresentationTaken(task_name)
    _presentations[task_name] = presentation


def add_search(resolver: SearchResolver) -> None:
    """Register what understands a searched term: a reference, an e-mail address, an id of another system."""
    _resolvers.append(resolver)


# --- Asking -----------------------------------------------------------------------------------------------


def find_description(task_name: str) -> TaskDescription | None:
    """Return what a project registered for a task; None if nothing."""
    return _presentations.get(task_name)


def described_tasks() -> Mapping[str, TaskDescription]:
    """Return all that is registered, by task name."""
    return dict(_presentations)


def title_of(task_name: str) -> str:
    """Return a task's title in the active language, or its name."""
    presentation = find_description(task_name)
    return str(presentation.title) if presentation else task_name


def moves_money(task_name: str) -> bool:
    """Tell whether the project says that a task moves money."""
    presentation = find_description(task_name)
    return presentation is not None and presentation.moves_money


def find_jobs_meant(term: str) -> JobSearch | None:
    """Ask the project what a searched term means; the first answer counts, a resolver that fails has none."""
    for resolver in _resolvers:
        try:
            with _connection_kept_usable():
                found = resolver(term)
        except Exception:
            logger.exception("A search of the job viewer failed", extra={"resolver": resolver.__qualname__})
            continue
        if found is not None:
            return found
    return None


def descriptions_of(jobs: Sequence[DescribableJob]) -> dict[int, JobDescription]:
    """Return the story of each job by its id, asking each task's ``describe`` once.

    A task that nobody registered is told by its name. A ``describe`` that fails is logged and replaced by the
    task's title: it breaks no page.
    """
    by_task: dict[str, list[JobArgs]] = defaultdict(list)
    for job in jobs:
        by_task[job.task_name].append(JobArgs(id=job.id, args=job.args))
    descriptions: dict[int, JobDescription] = {}
    for task_name, calls in by_task.items():
        plain = JobDescription(sentence=title_of(task_name), retry_reason=_("Nobody has said for this task."))
        told = _tell(task_name, calls)
        descriptions |= {call.id: told.get(call.id, plain) for call in calls}
    return descriptions


def _tell(task_name: str, calls: Sequence[JobArgs]) -> Mapping[int, JobDescription]:
    """Ask for the descriptions of many jobs; where that fails, of halves, so that one job spoils one only."""
    presentation = find_description(task_name)
    if presentation is None:
        return {}
    told: dict[int, JobDescription] = {}
    parts, questions = [calls], 0
    while parts and questions < _MOST_QUESTIONS:
        part, questions = parts.pop(), questions + 1
        try:
            with _connection_kept_usable():
                told |= presentation.describe(part)
        except Exception:
            if questions == 1:
                logger.exception("A task's presentation failed", extra={"task": task_name})
            middle = len(part) // 2
            parts += [half for half in (part[middle:], part[:middle]) if middle]
    return told


def sums_of(jobs: Sequence[DescribableJob]) -> tuple[Amount, ...]:
    """Return what money hangs on jobs, a sum for each currency; what several jobs are about counts once.

    Each task is asked once for every thousand jobs; what its hook cannot tell counts as nothing.
    """
    by_task: dict[str, dict[object, JobArgs]] = defaultdict(dict)
    for job in jobs:
        by_task[job.task_name].setdefault(_subject_of(job), JobArgs(id=job.id, args=job.args))
    sums: Counter[str] = Counter()
    for task_name, subjects in by_task.items():
        calls = list(subjects.values())
        for start in range(0, len(calls), _MOST_AT_ONCE):
            for amount in _amounts(task_name, calls[start : start + _MOST_AT_ONCE]):
                sums[amount.currency.upper()] += amount.minor
    return tuple(Amount(minor=minor, currency=currency) for currency, minor in sorted(sums.items()))


def _subject_of(job: DescribableJob) -> object:
    presentation = find_description(job.task_name)
    argument = presentation.related_argument if presentation else ""
    value = job.args.get(argument)
    return ("", job.id) if value is None else (argument, str(value))


def _amounts(task_name: str, calls: Sequence[JobArgs]) -> Iterator[Amount]:
    presentation = find_description(task_name)
    if presentation is None or presentation.kind is not Kind.MONEY:
        return
    if presentation.amounts is None:
        told = _tell(task_name, calls)
        yield from (each.amount for each in told.values() if each.amount is not None)
        return
    try:
        with _connection_kept_usable():
            yield from presentation.amounts(calls).values()
    except Exception:
        logger.exception("A task's amounts could not be read", extra={"task": task_name})


@contextmanager
def _connection_kept_usable() -> Iterator[None]:
    """Let a failed query of the project's spoil no transaction around it."""
    alias = procrastinate_settings.DATABASE_ALIAS
    if not transaction.get_connection(alias).in_atomic_block:
        yield
        return
    with transaction.atomic(using=alias):
        yield
