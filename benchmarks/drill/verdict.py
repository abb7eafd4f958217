"""Whether every promise was kept: our rows held against the bank statement, stay by stay."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from benchmarks.drill.desk import Desk
from benchmarks.due_stays import CHARGE_TASK, Stay
from reyes_estancias.local_stripe.statement import Movement, StatementLine

_STAYS = """
SELECT booking.public_id, account.stripe_customer_id, payment.status, account.captured_minor,
    job.status::text, job.ended, attempt.key::text
FROM bookings_booking booking
JOIN payments_bookingaccount account ON account.booking_id = booking.id
JOIN payments_payment payment ON payment.booking_id = booking.id AND payment.kind = 'balance'
LEFT JOIN payments_paymentattempt attempt ON attempt.payment_id = payment.id AND attempt.state = 'succeeded'
LEFT JOIN LATERAL (
    SELECT status, (
        SELECT count(*) FROM procrastinate_events WHERE job_id = jobs.id AND type = 'succeeded'
    ) AS ended
    FROM procrastinate_jobs jobs WHERE task_name = %(task)s AND (args ->> 'booking_id')::bigint = booking.id
) job ON true
"""


@dataclass(frozen=True, slots=True)
class StayRow:
    """One stay as the database has it after the drill.

    ``job`` is the status of its charge's job, None when there is no such job; ``ended`` counts how often it
    succeeded; ``attempt`` is the key of the attempt that won.
    """

    public_id: str
    customer: str
    payment: str
    ledger_minor: int
    job: str | None
    ended: int
    attempt: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What was promised, and what became of it. All but ``charged`` and the sums should be zero."""

    charged: int
    commits_lost: int
    jobs_lost: int
    jobs_ended_twice: int
    not_charged: int
    charged_twice: int
    charged_unknown: int
    books_differ: int
    taken_minor: int
    recorded_minor: int

    @property
    def broken(self) -> int:
        """How many promises were broken, in all."""
        return (
            self.commits_lost
            + self.jobs_lost
            + self.jobs_ended_twice
            + self.not_charged
            + self.charged_twice
            + self.charged_unknown
            + self.books_differ
        )


def judge(stays: Sequence[Stay], rows: Sequence[StayRow], statement: Sequence[StatementLine]) -> Verdict:
    """Hold what the drill committed against the database, and the database against the bank. Pure.

    Args:
        stays: those whose transaction was confirmed to the drill.
        rows: every stay that the database has now, once for each job of its charge.
        statement: every movement at the bank.
    """
    charges = [line for line in statement if line.kind is Movement.CHARGE]
    per_customer = Counter(line.customer for line in charges)
    taken = Counter[str | None]()
    for line in statement:
        taken[line.customer] += line.taken
    attempts = {row.attempt for row in rows}
    return Verdict(
        charged=len(charges),
        commits_lost=len({str(stay.public_id) for stay in stays} - {row.public_id for row in rows}),
        jobs_lost=sum(row.job != "succeeded" for row in rows),
        jobs_ended_twice=sum(row.ended > 1 for row in rows),
        not_charged=sum(row.payment != "paid" or not per_customer[row.customer] for row in rows),
        charged_twice=sum(count > 1 for count in per_customer.values()),
        charged_unknown=sum(line.metadata.get("attempt") not in attempts for line in charges),
        books_differ=sum(taken[row.customer] != row.ledger_minor for row in rows),
        taken_minor=sum(taken.values()),
        recorded_minor=sum({row.public_id: row.ledger_minor for row in rows}.values()),
    )


def read_stays(desk: Desk) -> list[StayRow]:
    """Read every stay of the drill."""
    return [
        StayRow(str(public_id), customer, payment, ledger, job, ended or 0, attempt)
        for public_id, customer, payment, ledger, job, ended, attempt in desk.rows(
            _STAYS, {"task": CHARGE_TASK}
        )
    ]
