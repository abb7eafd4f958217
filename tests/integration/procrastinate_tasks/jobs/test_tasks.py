"""``@task`` with and without parentheses."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from procrastinate.contrib.django import app
from procrastinate.job_context import JobContext

from procrastinate_tasks.exceptions import InvalidTaskArguments, TaskNameTaken
from procrastinate_tasks.jobs import task_options
from procrastinate_tasks.jobs.deferring import defer
from procrastinate_tasks.jobs.tasks import task
from procrastinate_tasks.testing import assert_enqueued, drain_queue


@pytest.fixture(autouse=True)
def _forgets_new_tasks() -> Iterator[None]:
    registered, options = dict(app.tasks), dict(task_options._options_by_name)
    yield
    app.tasks.clear()
    app.tasks.update(registered)
    task_options._options_by_name.clear()
    task_options._options_by_name.update(options)


@pytest.mark.django_db
def test_it_works_without_parentheses():
    @task
    def double(number: int) -> int:
        return 2 * number

    double.defer(number=2)

    assert double(3) == 6
    assert double.name == f"{__name__}.double"
    assert double.queue == "default"
    assert_enqueued(double, {"number": 2})
    assert drain_queue().succeeded == 1
    with pytest.raises(InvalidTaskArguments, match="missing a required argument"):
        defer(double.name)


def test_empty_parentheses_mean_the_same():
    @task()
    def bare() -> None: ...

    assert bare.name == f"{__name__}.bare"


def test_a_bare_task_cannot_take_a_declared_one_s_name():
    def declare() -> None:
        @task
        def twice() -> None: ...

    declare()

    with pytest.raises(TaskNameTaken):
        declare()


def test_options_leave_the_decorator_for_the_function():
    @task(name="sample.counts_with_context", pass_context=True)
    def with_context(context: JobContext, number: int) -> int:
        return number

    assert with_context.name == "sample.counts_with_context"
    assert list(task_options.find_options("sample.counts_with_context").signature.parameters) == ["number"]  # type: ignore[union-attr]
