"""What stands here for each thing of Celery's: the one table, for the command and for the page of the guide."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum


class Fit(StrEnum):
    """How much of a thing of Celery's there is here."""

    SAME = "same"
    PARTLY = "partly"
    NEEDLESS = "needless"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class Counterpart:
    """One row. ``keys`` are what ``reading`` finds; a key also stands for what is below it (``canvas.chain.x``)."""

    keys: tuple[str, ...]
    celery: str
    fit: Fit
    here: str


def _row(keys: str, celery: str, fit: Fit, here: str) -> Counterpart:
    return Counterpart(tuple(keys.split()), celery, fit, here)


_SAME, _PARTLY, _NEEDLESS, _NONE = Fit.SAME, Fit.PARTLY, Fit.NEEDLESS, Fit.NONE

# A table reads best with a row on a line.
# fmt: off
TASKS = (
    _row("task", "`@shared_task`, `@app.task`", _SAME, "`@task` of `procrastinate_tasks`, bare or with options"),
    _row("task.name", "`name=`", _SAME, "`name=`; what it was called before goes into `aliases=`"),
    _row("task.queue call.queue", "`queue=`", _SAME, "`queue=` of `@task`; for one job `.using(queue=…)`"),
    _row("task.priority call.priority", "`priority=`", _SAME, "`priority=`; higher runs first, as with RabbitMQ, not Redis"),
    _row("task.bind bound.request", "`bind=True`, `self.request`", _SAME, "`pass_context=True`: `context.job` has id, attempts, arguments"),
    _row("task.max_retries task.default_retry_delay bound.max_retries bound.default_retry_delay", "`max_retries=`, `default_retry_delay=`", _SAME, "`retry=Retries(max_retries=3, delay=timedelta(seconds=30))`, counted alike"),
    _row("task.autoretry_for task.dont_autoretry_for task.retry_kwargs", "`autoretry_for=`, `retry_kwargs=`", _SAME, "`Retries(on=(…), give_up_on=(…), …)`"),
    _row("task.retry_backoff task.retry_backoff_max task.retry_jitter", "`retry_backoff=`, `retry_jitter=`", _SAME, "`Retries(backoff=2, max_delay=…, jitter=0.1, …)`"),
    _row("bound.retry", "`self.retry(countdown=…, exc=…)`", _SAME, "`raise Retry(in_=timedelta(seconds=30)) from error`; or raise what went wrong, and `Retries` waits as declared"),
    _row("task.time_limit task.soft_time_limit call.time_limit call.soft_time_limit", "`time_limit=`, `soft_time_limit=`", _SAME, "`time_limit=`, `soft_time_limit=` of `@task`, as `timedelta`; they also end code blocked in C or in a query"),
    _row("task.acks_late task.reject_on_worker_lost", "`acks_late=`, `reject_on_worker_lost=`", _NEEDLESS, "always so: a job ends after its effects; one that keeps killing its worker is parked"),
    _row("task.acks_on_failure_or_timeout", "`acks_on_failure_or_timeout=`", _NEEDLESS, "a failure is stored with its traceback, and retried as `retry=` says"),
    _row("task.ignore_result task.store_errors_even_if_ignored task.track_started call.ignore_result", "`ignore_result=`, `track_started=`", _NEEDLESS, "results are rows beside the job, for as long as `KEEP_SUCCESSES_FOR`; a running job is `doing`"),
    _row("task.rate_limit", "`rate_limit=`", _PARTLY, "per queue, exact over all workers: `QueueLimit(rate=Rate(10))`"),
    _row("call.expires", "`expires=` of a call", _SAME, "`.using(expires_in=…)`, `expires_at=`: the job ends as cancelled, and says that it expired"),
    _row("task.expires", "`expires=` of a task", _PARTLY, "of each job: `.using(expires_in=…)`"),
    _row("task.serializer task.compression call.serializer call.compression", "`serializer=`, `compression=`", _NEEDLESS, "arguments are JSON; `Decimal`, dates, `UUID` and enums travel as they are annotated; pickled objects become ids of rows"),
    _row("task.typing", "`typing=`", _NEEDLESS, "arguments are checked against the signature when a job is deferred; `validate=` checks values"),
    _row("task.throws", "`throws=`", _PARTLY, "`Retries(give_up_on=(…))`; a failure is logged as one"),
    _row("task.base task.class bound.on_failure bound.on_success bound.on_retry bound.after_return bound.before_start", "`base=`, `class X(Task)`, `on_failure`, …", _PARTLY, "`task_middleware=[…]` runs around the task; a class's state goes into the module"),
    _row("bound.update_state", "`self.update_state(…)`", _PARTLY, "`context.progress(done, total, text)`, shown on the job's page; no states of your own"),
    _row("bound.replace", "`self.replace(…)`", _NONE, "defer the other task and return"),
    _row("bound.request_stack bound.app bound.backend bound.name", "other attributes of `self`", _PARTLY, "`context.task`, `context.app`"),
    _row("task.", "any other option of a task", _NONE, "read what it does; most have no meaning without a broker"),
)

CALLS = (
    _row("call.delay", "`task.delay(…)`", _SAME, "`task.defer(…)`, in the current transaction; type checkers know its arguments"),
    _row("call.delay_on_commit call.apply_async_on_commit", "`delay_on_commit(…)`", _NEEDLESS, "`task.defer(…)`: a job exists when its transaction commits"),
    _row("call.apply_async call.args call.kwargs", "`task.apply_async(args, kwargs)`", _SAME, "`task.using(…).defer(…)`, arguments as the function takes them, or `defer(\"name\", {…})`"),
    _row("call.countdown", "`countdown=`", _SAME, "`.using(schedule_in=timedelta(seconds=30))`"),
    _row("call.eta", "`eta=`", _SAME, "`.using(schedule_at=…)`, `defer(…, schedule_at=…)`; it waits in the table, not in a worker"),
    _row("call.apply", "`task.apply(…)`, calling a task", _SAME, "`task(…)` runs the function here and now"),
    _row("call.link call.link_error", "`link=`, `link_error=`", _NONE, "defer the next job at the end of the task, in its transaction"),
    _row("call.task_id call.headers call.shadow call.reply_to call.correlation_id", "`task_id=`, `headers=`, `shadow=`", _PARTLY, "a job's id is a number; `queueing_lock=` refuses a second one; `log_fields=` names it in the log"),
    _row("call.retry call.retry_policy call.connection call.producer call.publisher call.add_to_parent", "`retry=`, `connection=` of a call", _NEEDLESS, "there is no broker that could be away while the database is there"),
    _row("call.routing_key call.exchange call.queue_arguments", "`routing_key=`, `exchange=`", _PARTLY, "queues only: `queue=`"),
    _row("call.", "any other option of a call", _NONE, "read what it does"),
    _row("app.send_task", "`app.send_task(\"name\", …)`", _SAME, "`defer(\"name\", {…})`"),
    _row("celery.result app.AsyncResult app.GroupResult app.ResultSet", "`AsyncResult(id)`, `.get()`", _PARTLY, "`Job` and `JobAttempt` of `procrastinate_tasks.models`, or Django's Tasks: `get_result(id)`. Nothing waits for a result"),
    _row("celery.states", "`celery.states`", _PARTLY, "`Job.status`: todo, doing, succeeded, failed, cancelled, aborted"),
)

CANVAS = (
    _row("canvas.signature celery.signature celery.subtask celery.Signature celery.canvas.Signature app.signature", "`task.s(…)`, `.si(…)`, `signature(…)`", _PARTLY, "`Call({…})` for `defer_many`; partial arguments: `functools.partial`"),
    _row("celery.chain canvas.chain celery.canvas.chain", "`chain(…)`, `|`", _NONE, "each task defers the next in its own transaction; no workflows yet"),
    _row("celery.group canvas.group celery.canvas.group", "`group(…)`", _PARTLY, "`defer_many(name, calls)`, one statement for 2,000; nothing joins the results"),
    _row("celery.chord canvas.chord celery.canvas.chord", "`chord(…)`", _NONE, "count what is done in a row; the job that does the last defers the next"),
    _row("canvas.chunks canvas.map canvas.starmap celery.chunks celery.xmap celery.xstarmap", "`.chunks(…)`, `.map(…)`, `.starmap(…)`", _PARTLY, "`defer_many`"),
    _row("celery.canvas", "anything else of `celery.canvas`", _NONE, "no workflows yet"),
)

SCHEDULES = (
    _row("schedule.setting", "`CELERY_BEAT_SCHEDULE`", _SAME, "`@periodic(cron=…)` above the task; no Beat process"),
    _row("schedule.entry app.add_periodic_task", "an entry of the schedule, `add_periodic_task`", _SAME, "one `@periodic(…)` each, with `schedule_id=` where a task has several, `args={…}` for arguments"),
    _row("celery.schedules.crontab", "`crontab(…)`", _SAME, "`cron=\"0 3 * * *\"`, in `TIME_ZONE`, or `timezone=`"),
    _row("schedule.interval celery.schedules.schedule", "`schedule=90.0`, `timedelta(…)`", _SAME, "`@periodic(every=90)`"),
    _row("schedule.options", "`options` of an entry", _PARTLY, "`queueing_lock=`, `priority=`; its queue is the task's"),
    _row("celery.schedules.solar", "`solar(…)`", _NONE, "a `cron` that looks and returns"),
    _row("celery.schedules celery.beat django_celery_beat package.django_celery_beat setting.beat_scheduler", "`django-celery-beat`, other schedulers", _PARTLY, "times stand in the code; the admin and `jobs schedule` switch them on and off and run them now"),
    _row("celery.contrib.abortable", "`AbortableTask`", _SAME, "`context.should_abort()`; the viewer's and `jobs abort`'s request"),
)

OPERATING = (
    _row("command.worker", "`celery -A … worker`", _SAME, "`python manage.py procrastinate worker --processes 2 --concurrency 4`"),
    _row("command.beat", "`celery -A … beat`", _NEEDLESS, "every worker keeps the schedule; each tick is one job"),
    _row("command.flower", "`celery -A … flower`, Flower", _SAME, "the job viewer in the admin, `manage.py jobs status`, `/metrics`"),
    _row("command.status command.inspect app.control.inspect app.control.ping app.control.broadcast", "`celery status`, `inspect`, `ping`", _SAME, "`manage.py jobs workers`, `status`, `health`, each with `--json`"),
    _row("app.control.revoke command.control", "`app.control.revoke(id, terminate=True)`", _SAME, "`jobs cancel ID`, `jobs abort ID`, `cancel(queueing_lock=…)`, the viewer"),
    _row("app.control.rate_limit", "`app.control.rate_limit(…)`", _PARTLY, "`limit_queue(queue=…, rate=Rate(5))`"),
    _row("app.control.purge command.purge", "`purge`", _PARTLY, "`jobs cancel --queue … --yes`: they stay, cancelled, until they are pruned"),
    _row("app.control.add_consumer app.control.cancel_consumer", "`add_consumer`, `cancel_consumer`", _PARTLY, "`pause_queue`, `pause_task`, `resume_queue`, `resume_task`: over all workers"),
    _row("app.control", "other remote control", _NONE, "send the worker a signal: SIGTERM drains it"),
    _row("command.", "other commands of `celery`", _NONE, "`manage.py jobs --help` lists what there is"),
    _row("celery.utils.log", "`get_task_logger(…)`", _NEEDLESS, "`logging.getLogger(__name__)`: `logging_config()` adds job, task and attempt to each line"),
    _row("celery.exceptions.SoftTimeLimitExceeded billiard.exceptions.SoftTimeLimitExceeded", "`SoftTimeLimitExceeded`", _SAME, "`SoftTimeLimitExceeded` of `procrastinate_tasks`"),
    _row("celery.exceptions.Retry celery.exceptions.MaxRetriesExceededError", "`Retry`, `MaxRetriesExceededError`", _SAME, "`raise Retry(in_=…)`, at no cost `raise Snooze(in_=…)`; the last failure is stored with its traceback"),
    _row("celery.exceptions.Ignore celery.exceptions.Reject", "`Ignore`, `Reject`", _PARTLY, "return"),
    _row("celery.exceptions", "other exceptions", _PARTLY, "`QueueError` is the parent of all of ours"),
    _row("celery.signals.worker_process_init celery.signals.worker_process_shutdown", "`worker_process_init`, `worker_process_shutdown`", _SAME, "`@on_process_start`, `@on_process_stop`"),
    _row("celery.signals.task_prerun celery.signals.task_postrun celery.signals.task_failure celery.signals.task_success celery.signals.task_retry celery.signals.task_internal_error", "`task_prerun`, `task_failure`, …", _PARTLY, "`task_middleware` of a task, or of all in `PROCRASTINATE_WORKER_DEFAULTS`; Django's Tasks have signals"),
    _row("celery.signals.setup_logging celery.signals.after_setup_logger celery.signals.after_setup_task_logger", "`setup_logging`", _NEEDLESS, "the worker leaves `LOGGING` as it is"),
    _row("celery.signals", "other signals", _NONE, "`register_metrics` and alert rules read the queue from outside"),
    _row("celery.current_task celery._state", "`current_task`", _PARTLY, "`pass_context=True`, and hand the context on"),
    _row("test.eager", "`task_always_eager`, eager mode", _PARTLY, "`drain_queue()` in a test: the job is deferred, then run, as in a worker"),
    _row("test.mock", "`mock.patch(\"….delay\")` in tests", _PARTLY, "`assert_enqueued(…)`, `refute_enqueued(…)`: the job is a row of the test's transaction"),
    _row("celery.contrib.testing celery.contrib.pytest celery.contrib", "`celery.contrib.testing`, `pytest-celery`", _PARTLY, "`procrastinate_tasks.testing`"),
    _row("django_celery_results package.django_celery_results", "`django-celery-results`", _NEEDLESS, "results are rows: `JobAttempt`, the viewer, `jobs show ID`"),
    _row("celery_once package.celery_once", "`celery-once`", _SAME, "`queueing_lock=` (one waits), `lock=` (one runs), `.using(unique_for=…)` (one in a period)"),
)

APPLICATION = (
    _row("app celery.Celery celery.current_app celery.app", "`app = Celery(…)`, `celery.py`", _NEEDLESS, "nothing: two lines in `INSTALLED_APPS`"),
    _row("app.autodiscover_tasks", "`app.autodiscover_tasks()`", _NEEDLESS, "each app's `tasks.py` is imported at the start"),
    _row("app.config_from_object app.conf app.setup_security", "`app.config_from_object(…)`, `app.conf`", _NEEDLESS, "`PROCRASTINATE_TASKS_…` in the settings; none is needed"),
    _row("app.Task celery.Task celery.task.Task celery.app.task", "`class X(Task)`", _PARTLY, "a function; `task_middleware=[…]` for what is common"),
    _row("app.on_after_configure app.on_after_finalize", "`app.on_after_configure.connect`", _NEEDLESS, "`@periodic` stands above the task"),
    _row("app.", "anything else of the app", _NONE, "read what it does"),
    _row("package. dependency.", "packages of Celery's family", _NEEDLESS, "`procrastinate-tasks` alone; Redis or RabbitMQ may go if nothing else uses them"),
    _row("integration.", "other packages' parts for Celery", _NONE, "Sentry works by itself; for others look whether they know Procrastinate"),
    _row("unparsed", "a line in a file that this Python cannot parse", _NONE, "run the command with the Python that the project runs on"),
    _row("celery. kombu billiard vine flower", "anything else of Celery, kombu or billiard", _NONE, "read what it does"),
)

_SETTINGS_OF = (
    ("broker_url broker_read_url broker_write_url result_backend cache_backend broker_use_ssl redis_backend_use_ssl", "`BROKER_URL`, `RESULT_BACKEND`", _NEEDLESS, "the database is the queue"),
    ("timezone enable_utc", "`TIMEZONE`, `ENABLE_UTC`", _SAME, "`TIME_ZONE`, or `timezone=` of a schedule"),
    ("beat_schedule", "`BEAT_SCHEDULE`", _SAME, "`@periodic(cron=…)` above each task"),
    ("beat_schedule_filename beat_max_loop_interval beat_sync_every beat_cron_starting_deadline", "other `BEAT_…`", _NEEDLESS, "there is no Beat; a tick is a row"),
    ("task_soft_time_limit task_time_limit", "`TASK_SOFT_TIME_LIMIT`, `TASK_TIME_LIMIT`", _SAME, "`PROCRASTINATE_TASKS_SOFT_TIME_LIMIT`, `…_TIME_LIMIT`, as `timedelta`"),
    ("worker_max_tasks_per_child worker_max_memory_per_child", "`WORKER_MAX_TASKS_PER_CHILD`, `…_MEMORY_PER_CHILD`", _SAME, "`--max-jobs`, `--max-memory` of the worker"),
    ("worker_concurrency worker_pool worker_autoscaler", "`WORKER_CONCURRENCY`, `WORKER_POOL`", _PARTLY, "`--processes` times `--concurrency`; it does not scale itself"),
    ("worker_prefetch_multiplier worker_disable_rate_limits", "`WORKER_PREFETCH_MULTIPLIER`", _NEEDLESS, "no worker claims more jobs than it can run now"),
    ("task_acks_late task_reject_on_worker_lost task_acks_on_failure_or_timeout", "`TASK_ACKS_LATE`", _NEEDLESS, "always so"),
    ("result_expires", "`RESULT_EXPIRES`", _SAME, "`PROCRASTINATE_TASKS_KEEP_SUCCESSES_FOR` (24 h), `…_KEEP_FAILURES_FOR`"),
    ("result_extended result_chord_join_timeout result_persistent result_compression", "other `RESULT_…`", _NEEDLESS, "an attempt's row has all of it"),
    ("task_ignore_result task_store_errors_even_if_ignored task_track_started worker_send_task_events task_send_sent_event send_task_sent_event worker_enable_remote_control", "`TASK_IGNORE_RESULT`, `TASK_TRACK_STARTED`, events", _NEEDLESS, "every run is a row; nothing has to be switched on to see it"),
    ("task_serializer result_serializer accept_content event_serializer", "`…_SERIALIZER`, `ACCEPT_CONTENT`", _NEEDLESS, "JSON only; pickled arguments become ids of rows"),
    ("task_always_eager task_eager_propagates task_store_eager_result", "`TASK_ALWAYS_EAGER`", _PARTLY, "`drain_queue()` in tests"),
    ("task_routes task_queues task_default_exchange task_default_routing_key task_default_exchange_type task_create_missing_queues task_queue_max_priority task_inherit_parent_priority task_default_priority", "`TASK_ROUTES`, `TASK_QUEUES`", _PARTLY, "`queue=` of each task; a queue exists when a job names it, and a worker takes `--queues`"),
    ("task_default_queue", "`TASK_DEFAULT_QUEUE`", _PARTLY, "it is called `default`"),
    ("task_default_rate_limit task_annotations", "`TASK_ANNOTATIONS`, default limits", _PARTLY, "`PROCRASTINATE_TASKS_QUEUE_LIMITS`, and the options of each task"),
    ("broker_connection_retry broker_connection_retry_on_startup broker_connection_timeout broker_connection_max_retries broker_pool_limit broker_heartbeat broker_login_method", "`BROKER_CONNECTION_RETRY…`", _NEEDLESS, "always so: a worker waits for Postgres, at its start and in an outage"),
    ("broker_transport_options result_backend_transport_options redis_max_connections redis_socket_timeout redis_retry_on_timeout redis_socket_keepalive visibility_timeout broker_transport", "`visibility_timeout`, transport options", _NEEDLESS, "a lost worker is noticed within 5 s; a long job is never run beside itself"),
    ("worker_hijack_root_logger worker_redirect_stdouts worker_log_format worker_task_log_format worker_log_color", "logging of the worker", _NEEDLESS, "`LOGGING = logging_config()`, or what you have"),
    ("imports include", "`IMPORTS`, `INCLUDE`", _NEEDLESS, "each app's `tasks.py` is imported"),
    ("task_send_error_emails server_email", "error e-mails", _SAME, "alerts to the `ADMINS`, Sentry"),
    ("worker_cancel_long_running_tasks_on_connection_loss worker_lost_wait worker_proc_alive_timeout worker_soft_shutdown_timeout worker_deduplicate_successful_tasks", "other `WORKER_…`", _NEEDLESS, "`--graceful-timeout`; who lost a job cannot end it"),
)

SETTINGS = (
    *(
        _row(" ".join(f"setting.{name}" for name in names.split()), celery, fit, here)
        for names, celery, fit, here in _SETTINGS_OF
    ),
    _row("setting.", "any other setting", _NONE, "one of your own, or one that is rare: read what it does"),
)

# fmt: on

SECTIONS: dict[str, tuple[Counterpart, ...]] = {
    "Declaring tasks": TASKS,
    "Calling them": CALLS,
    "Workflows": CANVAS,
    "Schedules": SCHEDULES,
    "Running and watching": OPERATING,
    "The application": APPLICATION,
    "Settings": SETTINGS,
}
_BY_KEY = {key: row for rows in SECTIONS.values() for row in rows for key in row.keys}


def counterpart_of(key: str) -> Counterpart:
    """Return the row of a key: its own, or that of the longest key above it."""
    return next(row for name in _names_for(key) if (row := _BY_KEY.get(name)) is not None)


def _names_for(key: str) -> Iterator[str]:
    """Yield a key, and then from the longest on what it is below: ``task.x`` is an option (``task.``) first."""
    yield key
    while key:
        yield f"{key}."
        key = key.rpartition(".")[0]
        yield f"{key}."
        yield key
    yield "celery."
