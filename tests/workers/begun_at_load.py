"""What projects begin while they load and a fork must not inherit; ``BEGUN_AT_LOAD`` says what."""

from __future__ import annotations

import os
import threading

import psycopg

from tests.workers.settings import DATABASES

begun: list[object] = []

if os.environ.get("BEGUN_AT_LOAD") == "thread":
    threading.Thread(target=threading.Event().wait, name="exporter", daemon=True).start()
elif os.environ.get("BEGUN_AT_LOAD") == "connection":
    address = DATABASES["default"]
    begun.append(
        psycopg.connect(
            host=address["HOST"], port=address["PORT"], user=address["USER"], dbname=address["NAME"]
        )
    )
