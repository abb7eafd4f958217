"""What Django promises of its Tasks, as tests for any backend: to be mixed into a ``TestCase``.

::

    class ConformanceTest(TasksApiConformance, TestCase):
        def run_waiting_tasks(self) -> None:
            drain_queue()
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any
from unittest import TestCase

from asgiref.sync import async_to_sync

from procrastinate_tasks.tasks_api.api import (
    InvalidTask,
    TaskResultDoesNotExist,
    TaskResultStatus,
    task,
    task_backends,
    task_enqueued,
    task_finished,
    task_started,
)

_FAR_OFF = datetime(2999, 1, 1, tzinfo=UTC)
_NAIVE = datetime(2999, 1, 1)  # noqa: DTZ001 - to be refused


@task
def add(left: int, right: int = 0) -> int:
    """Return something."""
    return left + right


@task
async def add_async(left: int) -> int:
    """Return something when awaited."""
    return left + 1


@task
def fail() -> None:
    """Raise something."""
    raise LookupError("on purpose")


@task(takes_context=True)
def tell(context: Any, word: str) -> list[Any]:
    """Return what the context says."""
    return [context.task_result.id, context.attempt, word]


class TasksApiConformance(TestCase):
    """Tests of one backend, which is the project's default one or named by ``backend``.

    What a backend cannot do, as its ``supports_…`` say, it must refuse.
    """

    backend = "default"

    def run_waiting_tasks(self) -> None:
        """Run what waits, as the backend's worker would; one that runs tasks at once has nothing to do."""

    def using(self, declared: Any, **options: Any) -> Any:
        """Return a task for the backend under test."""
        return declared.using(backend=self.backend, **options)

    def run_task(self, declared: Any, *args: Any, **kwargs: Any) -> Any:
        """Enqueue a task, run it, and return its result as it is read back where that can be done."""
        result = self.using(declared).enqueue(*args, **kwargs)
        self.run_waiting_tasks()
        if self.supports("get_result"):
            result.refresh()
        return result

    def supports(self, what: str) -> bool:
        """Whether the backend says that it can do something."""
        return bool(getattr(task_backends[self.backend], f"supports_{what}"))

    def test_a_result_has_an_id_and_what_was_given(self) -> None:
        result = self.using(add).enqueue(1, right=2)

        self.assertIsInstance(result.id, str)
        self.assertEqual((result.args, result.kwargs), ([1], {"right": 2}))
        self.assertEqual((result.backend, result.task.func), (self.backend, add.func))
        self.assertIsNotNone(result.enqueued_at)

    def test_what_a_task_returned_is_its_return_value(self) -> None:
        result = self.run_task(add, 1, right=2)

        self.assertEqual((result.status, result.return_value), (TaskResultStatus.SUCCESSFUL, 3))
        self.assertTrue(result.is_finished)
        self.assertEqual(result.errors, [])
        self.assertEqual(result.attempts, 1)
        self.assertLessEqual(result.started_at, result.finished_at)

    def test_what_a_task_raised_is_kept(self) -> None:
        result = self.run_task(fail)

        self.assertEqual(result.status, TaskResultStatus.FAILED)
        (error,) = result.errors
        self.assertIs(error.exception_class, LookupError)
        self.assertIn("LookupError: on purpose", error.traceback)
        with self.assertRaisesRegex(ValueError, "failed"):
            _ = result.return_value

    def test_a_coroutine_runs_or_is_refused(self) -> None:
        if self.supports("async_task"):
            self.assertEqual(self.run_task(add_async, 1).return_value, 2)
            return
        with self.assertRaises(InvalidTask):
            self.using(add_async)

    def test_a_task_is_told_its_context(self) -> None:
        result = self.run_task(tell, "word")

        self.assertEqual(result.return_value, [result.id, 1, "word"])

    def test_it_can_be_enqueued_from_asynchronous_code(self) -> None:
        result = async_to_sync(self.using(add).aenqueue)(1)

        self.assertEqual(result.args, [1])

    def test_a_result_is_read_by_its_id_and_no_other(self) -> None:
        if not self.supports("get_result"):
            with self.assertRaises(NotImplementedError):
                task_backends[self.backend].get_result("1")
            return
        result = self.using(add).enqueue(1)

        self.assertEqual(self.using(add).get_result(result.id).id, result.id)
        for unknown in ("0", "no such id", ""):
            with self.assertRaises(TaskResultDoesNotExist):
                self.using(add).get_result(unknown)

    def test_an_argument_that_json_cannot_hold_is_refused(self) -> None:
        for argument in (object(), {1, 2}):
            with self.assertRaises((TypeError, ValueError)):
                self.using(add).enqueue(argument)

    def test_a_time_to_run_at_is_kept_or_refused(self) -> None:
        if not self.supports("defer"):
            with self.assertRaises(InvalidTask):
                self.using(add, run_after=_FAR_OFF).enqueue(1)
            return
        result = self.using(add, run_after=_FAR_OFF).enqueue(1)
        self.run_waiting_tasks()

        self.assertEqual(result.task.run_after, _FAR_OFF)
        if self.supports("get_result"):
            result.refresh()
            self.assertEqual(result.status, TaskResultStatus.READY)
        with self.assertRaises(InvalidTask):
            self.using(add, run_after=_NAIVE).enqueue(1)

    def test_a_priority_is_kept_or_refused(self) -> None:
        if self.supports("priority"):
            self.assertEqual(self.using(add, priority=7).enqueue(1).task.priority, 7)
        for priority in (-101, 101):
            with self.assertRaises(InvalidTask):
                self.using(add, priority=priority)

    def test_the_signals_are_sent_in_their_order(self) -> None:
        heard: list[str] = []
        with (
            _heard(task_enqueued, lambda: heard.append("enqueued")),
            _heard(task_started, lambda: heard.append("started")),
            _heard(task_finished, lambda: heard.append("finished")),
        ):
            self.run_task(add, 1)

        self.assertEqual(sorted(heard), ["enqueued", "finished", "started"])
        self.assertLess(heard.index("started"), heard.index("finished"))

    def test_a_function_that_a_worker_could_not_import_is_refused(self) -> None:
        with self.assertRaises(InvalidTask):
            task(backend=self.backend)(lambda: None)


@contextmanager
def _heard(signal: Any, note: Callable[[], object]) -> Iterator[None]:
    def listen(**_: object) -> None:
        note()

    signal.connect(listen)
    try:
        yield
    finally:
        signal.disconnect(listen)
