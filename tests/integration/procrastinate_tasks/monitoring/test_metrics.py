"""The numbers for Prometheus are those of the database, in a format that its own parser reads."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from django.db import DatabaseError
from django.test import Client, override_settings
from django.utils import timezone
from prometheus_client.parser import text_string_to_metric_families

from procrastinate_tasks.jobs.deferring import defer
from procrastinate_tasks.models import Outcome, TaskTotal
from procrastinate_tasks.models.monitoring import SLOT
from procrastinate_tasks.monitoring import metrics
from procrastinate_tasks.monitoring.metrics import (
    Kind,
    Metric,
    Sample,
    collect,
    register_metrics,
    render,
    single,
)
from procrastinate_tasks.monitoring.rollup import MOST_TASKS, run_once
from procrastinate_tasks.testing import drain_queue
from tests.integration.procrastinate_tasks.monitoring.faults import register_worker
from tests.integration.procrastinate_tasks.overview import an_attempt

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
Numbers = dict[tuple[str, tuple[tuple[str, str], ...]], float]


def parse(text: str) -> Numbers:
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def test_what_is_written_is_read_back():
    tricky = 'a "quoted" name\\with\nbreaks'
    metric = Metric(
        name="things_total",
        help="Things\nand \\more.",
        kind=Kind.COUNTER,
        samples=(
            Sample(value=3, labels={"name": tricky, "state": "new"}),
            Sample(value=timedelta(milliseconds=1500), labels={"name": "ñandú", "state": ""}),
        ),
    )

    text = render([metric, single("at", "When.", datetime(2026, 1, 1, tzinfo=UTC))])

    (things, at) = text_string_to_metric_families(text)
    assert (things.type, things.documentation) == ("counter", "Things\nand \\more.")
    assert [sample.labels["name"] for sample in things.samples] == [tricky, "ñandú"]
    assert [sample.value for sample in things.samples] == [3, 1.5]
    assert at.samples[0].value == datetime(2026, 1, 1, tzinfo=UTC).timestamp()


def test_a_metric_without_samples_is_left_out():
    assert render([Metric(name="nothing", help="Nothing.", samples=())]) == ""


@pytest.mark.django_db
@override_settings(PROCRASTINATE_TASKS_MONITORING_TOKEN="t")
def test_the_queue_is_counted_by_queue_and_state(client: Client):
    register_worker(memory_bytes=5_000_000, max_memory_bytes=400_000_000)
    defer("sample.remember", {"number": 1}, schedule_at=timezone.now() - timedelta(minutes=5))
    defer("sample.remember", {"number": 2}, schedule_at=timezone.now() + timedelta(hours=1))

    response = client.get("/metrics", headers={"authorization": "Bearer t"})

    numbers = parse(response.content.decode())
    assert response["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
    assert response["Cache-Control"] == "no-store"
    assert numbers["procrastinate_jobs", (("queue", "sample"), ("state", "ready"))] == 1
    assert numbers["procrastinate_jobs", (("queue", "sample"), ("state", "scheduled"))] == 1
    assert numbers["procrastinate_queue_oldest_wait_seconds", (("queue", "sample"),)] >= 300
    assert numbers["procrastinate_workers", ()] == 1
    assert numbers["procrastinate_worker_memory_bytes", (("worker", "one:7"),)] == 5_000_000
    assert numbers["procrastinate_database_connections", ()] >= 1
    assert numbers["procrastinate_jobs_deferred_total", ()] >= 2
    assert numbers["procrastinate_alerts_firing", (("alert", "worker_stopped"),)] == 0
    assert numbers["payments_charges_in_doubt", ()] == 0
    assert ("payments_open", (("status", "failed"),)) in numbers


@pytest.mark.django_db
def test_every_name_is_declared_once_and_every_counter_ends_with_total():
    found = list(collect())

    names = [metric.name for metric in found]
    assert len(names) == len(set(names))
    assert all(metric.name.endswith("_total") == (metric.kind is Kind.COUNTER) for metric in found)


@pytest.mark.django_db
def test_attempts_that_ended_are_counted_by_outcome():
    before = parse(render(collect()))
    defer("sample.remember", {"number": 1})
    defer("sample.write_then_raise")
    drain_queue()

    after = parse(render(collect()))

    total = ("procrastinate_attempts_recorded_total", ())
    assert after[total] - before[total] == 2
    assert after["procrastinate_attempts_ended_lately", (("outcome", "failed"),)] == 1
    assert after["procrastinate_attempts_ended_lately", (("outcome", "succeeded"),)] == 1


@pytest.mark.django_db
def test_a_source_that_fails_takes_no_other_with_it(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    def broken() -> Iterator[Metric]:
        raise DatabaseError("no such table")

    monkeypatch.setattr(metrics, "_sources", dict(metrics._sources))
    register_metrics("broken", broken)

    numbers = parse(render(collect()))

    assert numbers["procrastinate_metrics_up", (("source", "broken"),)] == 0
    assert numbers["procrastinate_metrics_up", (("source", "queue"),)] == 1
    assert "Metrics could not be read" in caplog.text


@pytest.mark.django_db
def test_runs_and_their_times_are_counted_by_task():
    for seconds, outcome in ((0.1, "succeeded"), (0.2, "succeeded"), (7200, "failed")):
        an_attempt(finished_at=NOW - SLOT, lasted=timedelta(seconds=seconds), outcome=Outcome(outcome))
    while run_once(NOW).has_more:
        pass

    numbers = parse(render(collect()))

    task = ("task", "sample.remember")
    runs = {
        outcome: numbers["procrastinate_task_runs_total", (("outcome", outcome), task)]
        for outcome in ("succeeded", "failed", "retried")
    }
    buckets = {
        bound: numbers["procrastinate_task_run_seconds_bucket", (("le", bound), task)]
        for bound in ("0.01", "0.1", "0.5", "3600", "+Inf")
    }
    assert runs == {"succeeded": 2, "failed": 1, "retried": 0}
    assert buckets == {"0.01": 0, "0.1": 1, "0.5": 2, "3600": 2, "+Inf": 3}
    assert numbers["procrastinate_task_run_seconds_count", (task,)] == 3
    assert numbers["procrastinate_task_run_seconds_sum", (task,)] == pytest.approx(7200.3)
    assert numbers["procrastinate_task_wait_seconds_count", (task,)] == 0


@pytest.mark.django_db
def test_many_tasks_make_no_more_lines_than_the_first_hundred():
    TaskTotal.objects.bulk_create(
        TaskTotal(task_name=f"sample.task_{number}" if number else "", figure="run:3", total=1, grown_at=NOW)
        for number in range(MOST_TASKS + 1)
    )

    text = render(collect())

    assert text.count("procrastinate_task_") < 40 * (MOST_TASKS + 1)
    assert 'procrastinate_task_run_seconds_bucket{task="(other tasks)",le="+Inf"} 1.0' in text
