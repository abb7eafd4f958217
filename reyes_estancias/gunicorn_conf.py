"""How gunicorn serves the site.

It takes the port from PORT by itself, and the number of processes from the Procfile (WEB_CONCURRENCY, or 2).
The time-outs fit a platform that gives a request 30 s, and kills a process 30 s after SIGTERM.
"""

from __future__ import annotations

from django.utils.module_loading import import_string
from gunicorn.workers.base import Worker

wsgi_app = "reyes_estancias.wsgi:application"

worker_class = "reyes_estancias.web_worker.BufferingWorker"
# Each holds one database connection, and none ever waits for a slow client. Two processes with two threads
# hold as many as one with four, and on two cores half of their pages come much sooner: docs/load.md.
threads = 2
timeout = 20
graceful_timeout = 20
keepalive = 95  # longer than the platform's router keeps its connections
preload_app = True
reuse_port = True
control_socket_disable = True

accesslog = "-"
logger_class = "reyes_estancias.access_log.AccessLogger"
access_log_format = (
    'event=request method=%(m)s path="%(U)s" status=%(s)s bytes=%(B)s duration_ms=%(M)s'
    ' request_id="%({x-request-id}i)s"'
)


def post_worker_init(worker: Worker) -> None:
    """Let each web process look after the alerts too: when every queue worker is dead, nobody else would.

    By its name, because the project is not loaded yet when gunicorn reads this file.
    """
    import_string("procrastinate_tasks.monitoring.alerts.watch.start_watch")()
