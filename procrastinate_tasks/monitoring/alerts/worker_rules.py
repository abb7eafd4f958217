"""What the alert rules find out about workers: missing, cut off, too large, with a wrong clock."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import timedelta
from functools import partial

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from procrastinate_tasks.monitoring.alerts.rules import Finding, thresholds
from procrastinate_tasks.monitoring.snapshot import Snapshot
from procrastinate_tasks.queries.workers import WorkerHeartbeat

_MEGABYTE = 1024 * 1024


def find_stopped_workers(snapshot: Snapshot) -> Iterator[Finding]:
    wanted, alive = thresholds().min_workers, len(snapshot.living_workers)
    if wanted is None or alive >= wanted:
        return
    yield Finding(sentence=partial(_say_stopped_workers, alive, wanted), measure=wanted - alive)


def _say_stopped_workers(alive: int, wanted: int) -> str:
    sentence = ngettext(
        "%(alive)d worker is alive, and there should be %(wanted)d at least.",
        "%(alive)d workers are alive, and there should be %(wanted)d at least.",
        alive,
    )
    return sentence % {"alive": alive, "wanted": wanted}


def find_refused_workers(snapshot: Snapshot) -> Iterator[Finding]:
    for worker in snapshot.living_workers:
        if worker.refusal:
            yield Finding(subject=_name_of(worker), sentence=partial(_say_refused_worker, worker))


def _say_refused_worker(worker: WorkerHeartbeat) -> str:
    sentence = _("The job processes of %(worker)s cannot connect to the database: %(reason)s")
    return sentence % {"worker": _name_of(worker), "reason": worker.refusal}


def find_unrecorded_ends(snapshot: Snapshot) -> Iterator[Finding]:
    """Find workers that live and cannot record what has ended: they claim nothing more."""
    most = thresholds().record_delay
    for worker in snapshot.living_workers:
        if most is not None and worker.unrecorded_for is not None and worker.unrecorded_for > most:
            yield Finding(
                subject=_name_of(worker),
                sentence=partial(_say_unrecorded_ends, worker, worker.unrecorded_for),
                measure=worker.unrecorded,
            )


def _say_unrecorded_ends(worker: WorkerHeartbeat, waited: timedelta) -> str:
    sentence = _("The worker %(worker)s cannot record that jobs have ended: %(jobs)d, for %(seconds).0f s.")
    facts = {"worker": _name_of(worker), "jobs": worker.unrecorded, "seconds": waited.total_seconds()}
    return sentence % facts


def find_failing_claims(snapshot: Snapshot) -> Iterator[Finding]:
    most = thresholds().claim_failure
    for worker in snapshot.living_workers:
        if most is not None and worker.claims_fail_for is not None and worker.claims_fail_for > most:
            yield Finding(
                subject=_name_of(worker),
                sentence=partial(_say_failing_claims, worker, worker.claims_fail_for),
            )


def _say_failing_claims(worker: WorkerHeartbeat, failing_for: timedelta) -> str:
    facts = {"worker": _name_of(worker), "seconds": failing_for.total_seconds()}
    return _("The worker %(worker)s cannot claim jobs for %(seconds).0f s.") % facts


def find_large_workers(snapshot: Snapshot) -> Iterator[Finding]:
    share = thresholds().memory_share
    for worker in snapshot.living_workers:
        if share is None or not worker.max_memory_bytes or worker.memory_bytes is None:
            continue
        if worker.memory_bytes > share * worker.max_memory_bytes:
            facts = {
                "worker": _name_of(worker),
                "used": worker.memory_bytes // _MEGABYTE,
                "limit": worker.max_memory_bytes // _MEGABYTE,
            }
            yield Finding(subject=_name_of(worker), sentence=partial(_say_large_worker, facts))


def _say_large_worker(facts: Mapping[str, object]) -> str:
    return _("The worker %(worker)s uses %(used)d of %(limit)d MB.") % facts


def find_wrong_clocks(snapshot: Snapshot) -> Iterator[Finding]:
    """Find hosts whose clock disagrees with the database's, by which everything is stored and due."""
    most = thresholds().clock_skew
    for worker in snapshot.living_workers:
        if most is None or worker.clock_skew is None or abs(worker.clock_skew) <= most:
            continue
        skew = abs(worker.clock_skew.total_seconds())
        yield Finding(
            subject=_name_of(worker), sentence=partial(_say_wrong_clock, worker.host, skew), measure=skew
        )


def _say_wrong_clock(host: str, seconds: float) -> str:
    sentence = _("The clock of %(host)s is %(seconds).0f s from the database's.")
    return sentence % {"host": host, "seconds": seconds}


def _name_of(worker: WorkerHeartbeat) -> str:
    return f"{worker.host}:{worker.pid}"
