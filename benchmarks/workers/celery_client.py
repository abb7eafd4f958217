"""Celery's client in the benchmark: a request a line in, an answer a line out, both JSON.

It runs in Celery's own environment, where the harness cannot be imported into.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from datetime import datetime
from typing import Any

import celery
import redis

from benchmarks.workers.celery_app import BROKER, REDIS_SOCKET, RESULTS_DATABASE
from benchmarks.workload import Work

# Without a result backend: else the client subscribes to each job's result, which nobody here awaits.
app = celery.Celery("client", broker=BROKER)
results = redis.Redis(unix_socket_path=REDIS_SOCKET, db=RESULTS_DATABASE)
Answer = dict[str, Any]


def load(*, task: str, count: int) -> Answer:
    with app.producer_pool.acquire(block=True) as producer:
        for _ in range(count):
            app.send_task(task, producer=producer)
    return {}


def wait(*, count: int, seconds: float) -> Answer:
    give_up_at = time.monotonic() + seconds
    while results.dbsize() < count and time.monotonic() < give_up_at:
        time.sleep(0.05)
    ended = [json.loads(value) for value in results.mget(results.keys()) if value]
    times = sorted(datetime.fromisoformat(end["date_done"]).timestamp() for end in ended)
    done = sum(end["status"] == "SUCCESS" for end in ended)
    return {"done": done, "failed": len(ended) - done, "first": times[:1], "last": times[-1:]}


def send(*, token: int) -> Answer:
    sent = time.time()
    app.send_task(Work.STAMP.value, [token])
    return {"sent": sent}


def connections() -> Answer:
    return {"count": len(results.client_list())}


def clear() -> Answer:
    results.flushall()
    return {}


def versions() -> Answer:
    return {"celery": celery.__version__, "redis": results.info("server")["redis_version"]}


VERBS: dict[str, Callable[..., Answer]] = {
    verb.__name__: verb for verb in (load, wait, send, connections, clear, versions)
}


def main() -> None:
    for line in sys.stdin:
        request = json.loads(line)
        answer = VERBS[request.pop("verb")](**request)
        sys.stdout.write(f"{json.dumps(answer)}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
