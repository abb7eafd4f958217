"""What this app leans on in Procrastinate 3.10 that is not its public interface.

A failure here after an upgrade names what moved, and where it is used.
"""

from __future__ import annotations

import inspect
import logging
from importlib.metadata import version
from pathlib import Path

import procrastinate
import pytest
from django.db import connection
from procrastinate import manager, periodic, worker
from procrastinate.app import App
from procrastinate.connector import BaseConnector
from procrastinate.contrib.django import app, db_cleanup, procrastinate_app
from procrastinate.contrib.django.django_connector import DjangoConnector
from procrastinate.contrib.django.settings import settings as procrastinate_settings
from procrastinate.jobs import JobDeferrer
from procrastinate.psycopg_connector import PsycopgConnector

from procrastinate_tasks.jobs.deferring import JobManager
from procrastinate_tasks.monitoring.logging import ProcrastinateFilter

SOURCE = Path(procrastinate.__file__).parent


def test_the_pinned_version_is_installed():
    assert version("procrastinate").startswith("3.10."), (
        "read the release notes, then this file, then the pin"
    )


def test_the_django_app_is_a_module_attribute_that_becomes_an_app():
    assert isinstance(procrastinate_app.current_app, App), "used by installation.install"


def test_our_job_manager_is_the_app_s_and_tasks_go_through_it():
    assert isinstance(app.job_manager, JobManager)
    assert "app.job_manager" in inspect.getsource(procrastinate.tasks.Task.configure)


def test_our_job_manager_survives_the_swap_of_the_connector_that_a_worker_makes():
    ours = app.job_manager
    assert isinstance(ours, JobManager)
    assert isinstance(app.connector, DjangoConnector)
    pool = app.connector.get_worker_connector()

    with app.replace_connector(pool) as replaced:
        assert replaced.job_manager is ours
        assert replaced.connector is pool
        assert ours.connector is pool
        assert ours.defers_in_django

    assert isinstance(pool, PsycopgConnector)
    assert isinstance(ours.connector, DjangoConnector)


def test_procrastinate_s_connection_clean_up_is_among_every_worker_s_middleware():
    built = procrastinate_app.current_app._worker()

    assert built.task_middleware[:2] == [
        db_cleanup.close_db_connections,
        db_cleanup.close_db_connections_async,
    ]
    assert built.worker_middleware == []


@pytest.mark.parametrize(
    ("method", "parameters"),
    [
        ("batch_defer_jobs", ["jobs", "connection"]),
        ("batch_defer_jobs_async", ["jobs", "connection"]),
    ],
)
def test_the_methods_we_override_or_call_have_the_parameters_we_know(method: str, parameters: list[str]):
    theirs = inspect.signature(getattr(manager.JobManager, method))
    ours = inspect.signature(getattr(JobManager, method))

    assert list(theirs.parameters)[1:] == parameters
    assert list(ours.parameters)[1:] == parameters


def test_the_log_actions_that_we_replace_are_still_those_of_the_worker():
    source = inspect.getsource(worker)

    for action in ProcrastinateFilter._REPLACED:
        assert f'"{action}"' in source


def test_whole_jobs_are_logged_only_under_the_extras_that_we_hide():
    assert '"jobs": [job.log_context() for job in jobs]' in inspect.getsource(JobDeferrer)
    assert 'extra["job"] = context.job.log_context()' in inspect.getsource(worker.Worker._log_extra)
    assert worker.logger.name == "procrastinate.worker"
    assert periodic.logger.name == "procrastinate.periodic"
    assert logging.getLogger("procrastinate.jobs") is procrastinate.jobs.logger


def test_the_connector_names_its_alias_and_the_settings_theirs():
    assert DjangoConnector(alias="other").alias == "other"
    assert procrastinate_settings.DATABASE_ALIAS == "default"
    assert issubclass(PsycopgConnector, BaseConnector)


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("table", "columns"),
    [
        (
            "procrastinate_jobs",
            "abort_requested args attempts id lock priority queue_name queueing_lock"
            " scheduled_at status task_name worker_id",
        ),
        ("procrastinate_events", "at id job_id type"),
        ("procrastinate_workers", "id last_heartbeat"),
    ],
)
def test_the_tables_our_statements_write_have_the_columns_we_know(table: str, columns: str):
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT string_agg(column_name, ' ' ORDER BY column_name COLLATE \"C\")"
            " FROM information_schema.columns WHERE table_name = %s",
            [table],
        )
        assert cursor.fetchone()[0] == columns


@pytest.mark.django_db
def test_the_unique_index_of_queueing_locks_and_the_triggers_are_those_our_statements_count_on():
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT indexdef FROM pg_indexes WHERE indexname = %s", [manager.QUEUEING_LOCK_CONSTRAINT]
        )
        (index,) = cursor.fetchone()
        cursor.execute(
            "SELECT tgname FROM pg_trigger"
            " WHERE tgrelid = 'procrastinate_jobs'::regclass AND NOT tgisinternal"
            " AND starts_with(tgname, 'procrastinate_')"
        )
        triggers = {row[0] for row in cursor.fetchall()}

    assert index.endswith("(queueing_lock) WHERE (status = 'todo'::procrastinate_job_status)")
    assert triggers == {
        "procrastinate_jobs_notify_queue_job_aborted_v1",
        "procrastinate_jobs_notify_queue_job_inserted_v1",
        "procrastinate_trigger_abort_requested_events_v1",
        "procrastinate_trigger_delete_jobs_v1",
        "procrastinate_trigger_scheduled_events_v1",
        "procrastinate_trigger_status_events_insert_v1",
        "procrastinate_trigger_status_events_update_v1",
    }


def test_the_function_that_notifies_of_a_waiting_job_is_the_one_our_trigger_calls():
    schema = (SOURCE / "sql" / "schema.sql").read_text()

    assert "CREATE FUNCTION procrastinate_notify_queue_job_inserted_v1()" in schema
