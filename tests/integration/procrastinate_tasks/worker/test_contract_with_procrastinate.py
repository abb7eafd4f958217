"""What the engine leans on in Procrastinate and asgiref unpromised: an upgrade that moves it fails here."""

from __future__ import annotations

import argparse
import inspect
import subprocess
import sys

import pytest
from asgiref.sync import SyncToAsync, ThreadSensitiveContext
from django.db import connection
from procrastinate.contrib.django import app, db_cleanup
from procrastinate.worker import Worker

from procrastinate_tasks.management.commands.procrastinate import Command, find_subparser
from tests.workers.workers import ROOT


def test_our_command_stands_in_for_procrastinates():
    # In a process of its own: Django forgets its commands whenever a test changes the installed apps.
    command = [sys.executable, "manage.py", "procrastinate", "worker", "--help"]
    answer = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)

    assert "--graceful-timeout" in answer.stdout


def test_the_worker_subcommand_can_be_found_and_keeps_its_options():
    parser = find_subparser(Command().create_parser("manage.py", "procrastinate"), "worker")

    options = {option for action in parser._actions for option in action.option_strings}
    upstream = {"--name", "--queues", "--concurrency", "--one-shot", "--no-listen-notify", "--delete-jobs"}
    assert upstream | {"--processes", "--max-jobs", "--time-limit", "--graceful-timeout"} <= options
    assert isinstance(parser, argparse.ArgumentParser)


def test_procrastinates_worker_can_be_made_without_being_run():
    parameters = inspect.signature(Worker.__init__).parameters

    assert {"app", "queues", "name", "concurrency", "install_signal_handlers"} <= parameters.keys()
    assert inspect.iscoroutinefunction(db_cleanup.close_db_connections_async)
    assert db_cleanup.close_db_connections_async in app.worker_defaults["task_middleware"]


def test_asgiref_picks_the_thread_of_async_orm_calls_by_a_context_variable():
    context = ThreadSensitiveContext()

    token = SyncToAsync.thread_sensitive_context.set(context)

    assert context not in SyncToAsync.context_to_thread_executor
    SyncToAsync.thread_sensitive_context.reset(token)


@pytest.mark.django_db
def test_procrastinates_functions_that_our_statements_call_exist():
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT proname FROM pg_proc WHERE proname = ANY(%s)",
            [["procrastinate_register_worker_v1", "procrastinate_notify_queue_job_inserted_v1"]],
        )
        assert len(cursor.fetchall()) == 2
