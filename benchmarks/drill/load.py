"""The load: due balances, of which some always wait; and what the drill knows was committed."""

from __future__ import annotations

import threading

import psycopg

from benchmarks.drill.desk import Desk
from benchmarks.due_stays import CHARGE_TASK, Stay, StayWriter, make_home
from reyes_estancias.local_stripe.control import Control

_BATCH = 60
_ENOUGH = 150
_PAUSE_SECONDS = 0.3

_WAITING = """
SELECT count(*) FROM procrastinate_jobs
WHERE status = 'todo' AND task_name = %(task)s AND coalesce(scheduled_at <= now(), true)
"""
_FOUND = "SELECT count(*) FROM bookings_booking WHERE public_id = ANY(%(public_ids)s)"


class Load:
    """Keeps balances waiting until it is told to stop, whatever becomes of the database meanwhile."""

    def __init__(self, *, url: str, control: Control) -> None:
        self._desk = Desk(url)
        self._writer = StayWriter(control, make_home(self._desk.connection(), slug="casa-simulacro"))
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._run, name="load")
        self._in_doubt: list[Stay] = []
        self.stays: list[Stay] = []
        self.fault: BaseException | None = None

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Add no more, and find out what became of the last batch."""
        self._is_over.set()
        if self._thread.is_alive():
            self._thread.join()
        self._desk.close()

    def _run(self) -> None:
        try:
            while not self._is_over.wait(_PAUSE_SECONDS) or self._in_doubt:
                self._run_once()
        except BaseException as fault:
            self.fault = fault
            raise

    def _run_once(self) -> None:
        try:
            self._resolve_doubt()
            if not self._is_over.is_set() and self._desk.value(_WAITING, {"task": CHARGE_TASK}) < _ENOUGH:
                self._add()
        except psycopg.Error:
            self._desk.close()

    def _add(self) -> None:
        cards = self._writer.saved_cards(_BATCH)
        written = self._writer.write(self._desk.connection(), cards, note=self._in_doubt.extend)
        self.stays += written
        self._in_doubt.clear()

    def _resolve_doubt(self) -> None:
        """A commit whose answer was lost has happened or not: look, then count on it."""
        if not self._in_doubt:
            return
        found = self._desk.value(_FOUND, {"public_ids": [stay.public_id for stay in self._in_doubt]})
        self.stays += self._in_doubt if found else []
        self._in_doubt.clear()
