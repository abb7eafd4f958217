"""A worker with several database hosts: it finds the one that takes writes, and loses nothing on the way."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.workers.postgres import Server, multi_host_url, replicated_servers
from tests.workers.storm.evidence import gather_evidence
from tests.workers.storm.fleet import LEDGER, SETTINGS
from tests.workers.storm.ledger import PATH_VARIABLE
from tests.workers.storm.load import Load
from tests.workers.storm.verdict import judge
from tests.workers.workers import current_database_url, insert_jobs, started_worker, status_of, wait_for


@contextmanager
def silent_port() -> Iterator[int]:
    """A port that takes connections and never answers, as a host behind a firewall may seem to do."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        yield int(listener.getsockname()[1])


def count_done(server: Server) -> int:
    return int(server.rows("SELECT count(*) FROM procrastinate_jobs WHERE status = 'succeeded'")[0][0])


def has_done_more(load: Load, server: Server, *, than: int) -> bool:
    load.order_if_due()
    return count_done(server) > than


def is_all_done(load: Load) -> bool:
    load.look()
    return load.unfinished == 0


@pytest.mark.slow  # a minute: make drill loses a primary under three workers
def test_a_worker_goes_on_with_the_promoted_standby_and_no_job_is_lost_or_finished_twice(tmp_path: Path):
    environment = {PATH_VARIABLE: str(tmp_path / LEDGER)}
    with replicated_servers() as (primary, standby):
        url = multi_host_url(primary, standby)
        load = Load(url)
        with started_worker(
            tmp_path / "log", database_url=url, settings_module=SETTINGS, environment=environment
        ) as worker:
            wait_for(lambda: has_done_more(load, primary, than=50))

            primary.crash()
            standby.promote()
            done_by_the_primary = count_done(standby)

            wait_for(lambda: has_done_more(load, standby, than=done_by_the_primary + 50), within=10)
            load.settle_doubts()
            wait_for(lambda: is_all_done(load))
            assert worker.process.poll() is None
        load.close()
        evidence = gather_evidence(
            server=standby,
            ledger=tmp_path / LEDGER,
            ordered=load.ordered,
            most_narrow_at_a_time=load.most_narrow_at_a_time,
        )

    assert done_by_the_primary >= 50
    assert judge(evidence).complaints() == []


def test_a_first_host_that_never_answers_holds_the_worker_up_for_seconds_only(log: Path):
    (job_id,) = insert_jobs("engine.query", {"seconds": 0})
    ours = current_database_url()
    address = urlsplit(ours)
    with silent_port() as port:
        hosts = f"postgres@127.0.0.1:{port},{address.netloc.rpartition('@')[2]}"
        url = ours.replace(address.netloc, hosts)

        with started_worker(log, database_url=url, wait_until_up=False):
            wait_for(lambda: status_of(job_id) == "succeeded")
