"""Raises an exception inside a running job: in another thread, in the main thread, or at an await.

What it cannot do: a thread other than the main one that sleeps or waits in C notices only when it returns to
Python. Its database query is cancelled, so that wait ends at once; for the rest there is the hard limit, or
``--concurrency 1``, under which sync jobs run in the main thread, where a signal ends every wait. An async
job's coroutine is stepped by hand, so that an exception of our choice can be thrown in where it awaits.
"""

from __future__ import annotations

import asyncio
import ctypes
import logging
import signal
import threading
from collections.abc import Callable, Coroutine, Generator
from types import FrameType
from typing import Any

import psycopg
from procrastinate.exceptions import JobAborted

from procrastinate_tasks.exceptions import SoftTimeLimitExceeded
from procrastinate_tasks.worker.child.slots import Slot

logger = logging.getLogger(__name__)

_SIGNAL = signal.SIGUSR1


_CANCEL_SECONDS = 2.0


_MOST_CAUSES = 20

# The slot whose job the main thread is executing at this moment: only there may the signal raise.
_in_main_thread: list[Slot] = []


_set_asynchronous_exception = ctypes.pythonapi.PyThreadState_SetAsyncExc


def install_signal() -> None:
    """Makes the main thread interruptible; to be called once in it."""
    signal.signal(_SIGNAL, _raise_in_main_thread)


def enter_main_thread(slot: Slot) -> None:
    """Says that the main thread now executes this slot's job."""
    _in_main_thread.append(slot)


def leave_main_thread() -> None:
    """Says that the main thread is back in the event loop."""
    _in_main_thread.clear()


def admit(slot: Slot) -> None:
    """Lets other threads interrupt the sync job that this thread runs; raises what came before it began."""
    with slot.guard:
        slot.thread_id = threading.get_ident()
        if slot.thread_id == threading.main_thread().ident:
            enter_main_thread(slot)
    raise_early(slot)


def raise_early(slot: Slot) -> None:
    """Raises what was sent to the slot before its job could be interrupted."""
    early, slot.interruption = slot.interruption, None
    if early is not None:
        raise early


def raise_soft_limit(slot: Slot) -> None:
    """Raises ``SoftTimeLimitExceeded`` in the job that occupies the slot; called from another thread."""
    slot.soft_at = None
    _interrupt(slot, SoftTimeLimitExceeded(seconds=slot.soft_seconds))


def raise_abortion(slot: Slot) -> None:
    """Raises ``JobAborted`` in the job that occupies the slot; called from another thread."""
    slot.abort_at = None
    _interrupt(slot, JobAborted())


def _interrupt(slot: Slot, interruption: BaseException) -> None:
    with slot.guard:
        if slot.assignment is None:
            return
        slot.interruption = interruption
        if slot.thread_id is not None and slot.thread_id != threading.main_thread().ident:
            slot.was_struck = True
            _raise_in_thread(slot.thread_id, type(interruption))
        elif slot.task is not None:
            slot.task.get_loop().call_soon_threadsafe(_interrupt_await, slot, slot.task)
        # Both under the guard: this thread's next job must not lose its query, nor meet this one's exception.
        _cancel_queries(slot)
        if (main_thread_id := threading.main_thread().ident) is not None:
            signal.pthread_kill(main_thread_id, _SIGNAL)


def run_interruptibly(slot: Slot, call: Callable[[], Any]) -> Any:
    """Calls in this thread what other threads may interrupt; when it is over nothing is under way any more.

    An exception may strike while another is called off. There are two at most: the soft limit, the abortion.
    A query is cancelled before the main thread hears its signal, and its error may come first.
    """
    try:
        try:
            admit(slot)
            return call()
        except Exception as error:
            sent = withdraw(slot)
            if sent is not None and _is_of_cancelled_query(error):
                raise sent from error
            raise
        finally:
            withdraw(slot)
    finally:
        withdraw(slot)


def withdraw(slot: Slot) -> BaseException | None:
    """Calls off, and returns, what was sent to this slot's job and not raised yet; nothing comes after.

    What may be on its way to this thread is raised here. To send nothing in its place would leave CPython
    3.11 looking for it for ever: each step of all threads would be slower, and the next profile or trace
    function in this process would never return.
    """
    with slot.guard:
        sent = slot.interruption
        was_struck, slot.was_struck = slot.was_struck, False
        slot.interruption = slot.thread_id = slot.task = None
        # No call under the guard comes before: after any this thread may notice what was sent to it.
        try:
            if was_struck:
                _raise_in_thread(threading.get_ident(), _Withdrawn)
                while True:
                    pass
        except (_Withdrawn, SoftTimeLimitExceeded, JobAborted):
            pass
        if slot in _in_main_thread:
            leave_main_thread()
        return sent


class _Withdrawn(Exception):
    """Takes the place of what was sent to a thread and not raised yet."""


def _is_of_cancelled_query(error: BaseException | None) -> bool:
    for _ in range(_MOST_CAUSES):  # there may be no end of them: two errors may name each other
        if error is None or isinstance(error, psycopg.errors.QueryCanceled):
            break
        error = error.__cause__
    return isinstance(error, psycopg.errors.QueryCanceled)


def _raise_in_thread(thread_id: int, kind: type[BaseException]) -> None:
    _set_asynchronous_exception(ctypes.c_ulong(thread_id), ctypes.py_object(kind))


def _interrupt_await(slot: Slot, task: asyncio.Task[Any]) -> None:
    if slot.task is task and slot.interruption is not None:
        task.cancel()


def _raise_in_main_thread(_signal: int, _frame: FrameType | None) -> None:
    if not _in_main_thread:
        return
    slot = _in_main_thread[-1]
    interruption, slot.interruption = slot.interruption, None
    if interruption is not None:
        raise interruption


def _cancel_queries(slot: Slot) -> None:
    for wrapper in list(slot.connections):
        connection = wrapper.connection
        if (
            isinstance(connection, psycopg.Connection)
            and connection.info.transaction_status == psycopg.pq.TransactionStatus.ACTIVE
        ):
            try:
                connection.cancel_safe(timeout=_CANCEL_SECONDS)
            except psycopg.Error:
                logger.exception("The query of a job that is interrupted could not be cancelled")


class SteppedJob:
    """Awaits a coroutine for a slot.

    A cancellation that stands for an interruption reaches the coroutine as that exception: it can be caught,
    and clean-up may await. Any other cancellation passes unchanged.
    """

    __slots__ = ("_coroutine", "_slot")

    def __init__(self, coroutine: Coroutine[Any, Any, Any], slot: Slot) -> None:
        self._coroutine = coroutine
        self._slot = slot

    def __await__(self) -> Generator[Any, None, Any]:
        thrown: BaseException | None = None
        while True:
            try:
                awaited = self._step(thrown)
            except StopIteration as stop:
                return stop.value
            try:
                yield awaited
                thrown = None
            except BaseException as error:
                thrown = self._translate(error)

    def _step(self, thrown: BaseException | None) -> Any:
        enter_main_thread(self._slot)
        try:
            return self._coroutine.send(None) if thrown is None else self._coroutine.throw(thrown)
        finally:
            leave_main_thread()

    def _translate(self, error: BaseException) -> BaseException:
        wanted = self._slot.interruption
        if wanted is None or not isinstance(error, asyncio.CancelledError):
            return error
        self._slot.interruption = None
        if (task := asyncio.current_task()) is not None:
            task.uncancel()
        return wanted
