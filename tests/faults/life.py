"""One life of the house in virtual time, in which whoever acts may die: guests, workers, staff."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import TypeVar

from django.core import mail
from django.core.management import CommandError
from django.db import OperationalError, connection

from bookings import tasks as booking_tasks
from payments import tasks, unfinished
from payments.exceptions import PaymentError
from payments.invariants import checking
from payments.invariants.catalogue import INVARIANTS
from payments.models import Dunning, PaymentAttempt, Refund
from payments.policies import LIVE_STATES, RefundState
from reyes_estancias.local_stripe.errors import Document
from tests.faults.points import Died, Visitor, visited_by
from tests.house import House

T = TypeVar("T")

# Often at first, as the janitor's looks are; then as seldom as a test can bear.
_MINUTES = (1, 1, 1, 2, 5, 5, 15, 30, 60, 60, 6 * 60, 6 * 60, 10 * 60, 24 * 60, 25 * 60)
_TRIES = 5
_A_DAY = 25 * 60


class DidNotRest(AssertionError):
    """Something is still under way though nothing has failed for days."""


@dataclass(slots=True)
class Life:
    """A house, what its guests and workers do, and who of them has died.

    Attributes:
        visitor: what happens at the points they reach; nothing once the life is drained.
        are_jobs_lost: whether a job whose worker died is lost for good; else it runs again.
        events: whether Stripe's events reach the site, in which order and how often.
    """

    house: House
    rng: random.Random
    visitor: Visitor | None = None
    are_jobs_lost: bool = False
    events: str = "sent"
    deaths: int = 0
    refusals: list[str] = field(default_factory=list)

    def act(self, action: Callable[[], T]) -> T | None:
        """Let somebody do something; ``None`` when they died of it, or were refused."""
        try:
            if self.visitor is None:
                return action()
            with visited_by(self.visitor):
                return action()
        except Died:
            self.deaths += 1
            self.leave_jobs()
        except (PaymentError, CommandError, OperationalError) as error:
            self.refusals.append(f"{type(error).__name__}: {error}")
        return None

    def insist(self, action: Callable[[], T]) -> T:
        """Let a guest ask until they get an answer."""
        for _ in range(_TRIES):
            answer = self.act(action)
            if answer is not None:
                return answer
            self.house.wait(seconds=40)
        raise DidNotRest(f"no answer after {_TRIES} tries: {self.refusals}")

    def run_jobs(self) -> None:
        """Let workers run all that is due; one that dies is followed by another."""
        while self.act(self.house.run_jobs) is None:
            pass

    def work(self, *, minutes: float) -> None:
        """Let time pass, with all that the schedule does at the end of it."""
        self.house.wait(minutes=minutes)
        self.tell_events()
        self.run_jobs()
        for periodic in (
            tasks.resolve_unfinished_payments,
            tasks.defer_unfinished_work,
            tasks.scan_and_charge_balances,
            booking_tasks.mark_expired_holds,
        ):
            self.act(periodic)
        if self.events != "lost":
            self.act(tasks.fetch_missed_events)
        self.run_jobs()

    def work_at_night(self) -> None:
        """Let the nightly tasks run; one that fails runs again, at the latest in the next night."""
        for nightly in (tasks.reconcile_with_stripe, booking_tasks.mark_expired_bookings):
            for _ in range(_TRIES):
                if self.act(nightly) is not None:
                    break
        self.run_jobs()

    def drain(self) -> None:
        """Let days pass without a fault, until all has come to rest; then everything must hold."""
        self.visitor = None
        self.house.control.clear_faults()
        for minutes in _MINUTES:
            self.work(minutes=minutes)
            if self._is_at_rest():
                break
        # What only the clock brings, and what must not come again.
        self.work(minutes=_A_DAY)
        # What has waited for more than a day is asked for again at the full hour only.
        self.work(minutes=60 - self.house.now.minute)
        self.work_at_night()
        self.work(minutes=1)

    def tell_events(self) -> None:
        """Send the site what Stripe has to tell, as this life's network does; again what was not taken."""
        new = [event for event in self.house.events() if event["id"] not in self.house.delivered]
        for event in self._as_they_arrive(new):
            self._tell(event)

    def _tell(self, event: Document) -> None:
        if (
            self.events in ("lost", "fetched")
            or self.act(lambda: self.house.post_event(event)) == HTTPStatus.OK
        ):
            self.house.delivered.add(event["id"])

    def assert_all_holds(self) -> None:
        """Check the bank, Stripe's lists and every invariant, and that all that was begun has an end."""
        if self.deaths:
            self._pass_over_mail_that_came_twice()
        self.house.assert_invariants()
        verdicts = list(checking.check(now=self.house.now, invariants=INVARIANTS))
        broken = [
            f"{each.invariant.name}: {each.rows or each.problem}" for each in verdicts if not each.holds
        ]
        assert not broken, broken
        live = PaymentAttempt.objects.filter(state__in=list(LIVE_STATES))
        waiting = Refund.objects.filter(state__in=(RefundState.REQUESTED, RefundState.SUBMITTED))
        if live.exists() or waiting.exists():
            raise DidNotRest(f"{list(live.values('pk', 'state'))} {list(waiting.values('pk', 'state'))}")

    def _pass_over_mail_that_came_twice(self) -> None:
        """A worker that dies between the mail server's answer and its note sends the same Message-ID again.

        That is how a mailbox knows it, and the one thing that a death may do twice.
        """
        mail.outbox[:] = {str(each.extra_headers.get("Message-ID")): each for each in mail.outbox}.values()

    def _is_at_rest(self) -> bool:
        waits = [work.rows() for work in unfinished.WORK] + [
            PaymentAttempt.objects.filter(state__in=list(LIVE_STATES)),
            Refund.objects.filter(state__in=(RefundState.REQUESTED, RefundState.SUBMITTED)),
            Dunning.objects.filter(next_at__isnull=False),
        ]
        return not any(rows.exists() for rows in waits)

    def _as_they_arrive(self, events: list[Document]) -> list[Document]:
        match self.events:
            case "doubled":
                return [*events, *events]
            case "reversed":
                return events[::-1]
            case "shuffled":
                return self.rng.sample(events, len(events))
        return events

    def leave_jobs(self) -> None:
        """Leave a worker's jobs after its death: rescued, or lost although nobody knows how they ended."""
        status = "failed" if self.are_jobs_lost else "todo"
        with connection.cursor() as cursor:
            cursor.execute("UPDATE procrastinate_jobs SET status = %s WHERE status = 'doing'", [status])
