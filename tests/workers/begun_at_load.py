"""What projects begin while they load, and how that could hurt a worker; ``BEGUN_AT_LOAD`` says what."""

from __future__ import annotations

import logging
import os
import threading

import psycopg

from tests.workers.settings import DATABASES

begun: list[object] = []


class RefusingHandler(logging.Handler):
    """Refuses what our loggers say, as one that writes to a service which is away."""

    def emit(self, record: logging.LogRecord) -> None:
        if record.name.startswith("procrastinate_tasks"):
            raise ConnectionError("the log service is away")


if os.environ.get("BEGUN_AT_LOAD") == "thread":
    threading.Thread(target=threading.Event().wait, name="exporter", daemon=True).start()
elif os.environ.get("BEGUN_AT_LOAD") == "connection":
    address = DATABASES["default"]
    begun.append(
        psycopg.connect(
            host=address["HOST"], port=address["PORT"], user=address["USER"], dbname=address["NAME"]
        )
    )
elif os.environ.get("BEGUN_AT_LOAD") == "log handler":
    logging.getLogger().addHandler(RefusingHandler())
