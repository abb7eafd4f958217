"""``manage.py runserver_with_worker``: Django's development server, and a worker beside it; both reload."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

from django.apps import apps
from django.core.management.commands.runserver import Command as PlainRunserver

if apps.is_installed("django.contrib.staticfiles"):
    from django.contrib.staticfiles.management.commands.runserver import Command as Runserver
else:
    Runserver = PlainRunserver  # type: ignore[misc, assignment]


class Command(Runserver):
    """Serves and works until Ctrl-C; for development only."""

    help = "Starts a development server as runserver does, and a worker with it. Both reload on save."

    def run(self, **options: Any) -> None:
        """Start the worker once, in the process that outlives every reload of the server."""
        if os.environ.get("RUN_MAIN") == "true":
            super().run(**options)
            return
        with worker_beside(reloads=options["use_reloader"]):
            super().run(**options)


@contextlib.contextmanager
def worker_beside(*, reloads: bool) -> Iterator[None]:
    """Run a worker while the block lasts."""
    command = [sys.executable, sys.argv[0], "procrastinate", "worker", *(["--reload"] if reloads else [])]
    if sys.argv[0].endswith("__main__.py"):
        command[1:2] = ["-m", "django"]
    worker = subprocess.Popen(command)  # noqa: S603 - our own command line
    try:
        yield
    finally:
        worker.terminate()
        worker.wait()
