"""Log lines: one for each thing that happens to a job, with its fields and without its arguments."""

from __future__ import annotations

import json
import logging
import logging.config
from collections.abc import Iterator
from typing import Any

import pytest

from procrastinate_tasks.jobs.deferring import defer
from procrastinate_tasks.jobs.log_context import JobContextFilter
from procrastinate_tasks.monitoring.logging import (
    JsonFormatter,
    LogfmtFormatter,
    ProcrastinateFilter,
    logging_config,
)
from procrastinate_tasks.testing import drain_queue
from tests.integration.procrastinate_tasks import sample_tasks

pytestmark = pytest.mark.django_db


class Lines(logging.Handler):
    """Keeps what a console would show."""

    def __init__(self, formatter: logging.Formatter) -> None:
        super().__init__()
        self.setFormatter(formatter)
        self.addFilter(JobContextFilter())
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(self.format(record))


@pytest.fixture(params=[JsonFormatter, LogfmtFormatter])
def console(request: pytest.FixtureRequest) -> Iterator[Lines]:
    handler = Lines(request.param())
    root = logging.getLogger()
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    yield handler
    root.removeHandler(handler)
    root.setLevel(level)


def about_jobs(console: Lines) -> list[str]:
    return [line for line in console.lines if "procrastinate_tasks.jobs.job_log" in line]


def test_a_job_that_succeeds_leaves_two_lines_with_its_fields_and_its_answer(console: Lines):
    job_id = defer("sample.remember", {"number": 7})

    drain_queue()

    start, success = about_jobs(console)
    for line in (start, success):
        for part in (str(job_id), "sample.remember", "number", "7", "attempt"):
            assert part in line
    assert "remembered=7" in success


def test_retries_and_failures_are_told_without_arguments(console: Lines):
    defer("sample.flaky", {"email": "ana@example.com"})

    drain_queue(with_scheduled=True)

    told = "\n".join(about_jobs(console))
    assert told.count("will be retried") == 2
    assert told.count("job_failed") == 1
    assert "ana@example.com" not in "\n".join(console.lines)


def test_procrastinate_s_own_lines_carry_no_arguments_when_a_task_defers_itself(console: Lines):
    sample_tasks.flaky.defer(email="ana@example.com")

    assert console.lines
    assert "ana@example.com" not in "\n".join(console.lines)


def test_lines_are_one_line_each_and_json_parses():
    record = logging.makeLogRecord(
        {"msg": "two\nlines", "levelname": "INFO", "name": "x", "note": 'a "b" c=d'}
    )

    assert json.loads(JsonFormatter().format(record))["note"] == 'a "b" c=d'
    line = LogfmtFormatter().format(record)
    assert "\n" not in line
    assert r'note="a \"b\" c=d"' in line


def test_a_traceback_is_kept():
    try:
        raise ValueError("wrong")
    except ValueError as error:
        record = logging.makeLogRecord({"msg": "x", "exc_info": (ValueError, error, error.__traceback__)})

    assert "ValueError: wrong" in json.loads(JsonFormatter().format(record))["traceback"]
    assert LogfmtFormatter().format(record).endswith("ValueError: wrong")


def test_the_loggers_of_procrastinate_that_name_jobs_are_filtered():
    for name in ("procrastinate.jobs", "procrastinate.worker", "procrastinate.worker.worker"):
        assert any(isinstance(item, ProcrastinateFilter) for item in logging.getLogger(name).filters)


@pytest.mark.parametrize("style", ["json", "logfmt"])
def test_the_ready_made_setting_can_be_used(style: Any):
    kept = logging.getLogger().handlers[:], logging.getLogger().level
    try:
        logging.config.dictConfig(logging_config(style=style))
        assert type(logging.getLogger().handlers[0].formatter).__name__.lower().startswith(style)
    finally:
        logging.getLogger().handlers[:], level = kept
        logging.getLogger().setLevel(level)
