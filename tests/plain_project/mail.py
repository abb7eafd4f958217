"""A blueprint, and what puts it into the app: Procrastinate imports this before its app is ready."""

from __future__ import annotations

import procrastinate

mail = procrastinate.Blueprint()


def on_app_ready(ready: procrastinate.App) -> None:
    ready.add_tasks_from(mail, namespace="mail")


@mail.task(name="send", queue="mail", aliases=["post"], lock="server", priority=3)
def send(address: str) -> str:
    return address


@mail.periodic(cron="* * * * * */2", periodic_id="digest", queue="digests", task_kwargs={"size": 5})
@mail.task(name="digest", pass_context=True)
def digest(context: procrastinate.JobContext, timestamp: int, size: int) -> str:
    return f"{context.job.id} {timestamp} {size}"
