"""The bench of the admin's pages: which it opens, and how it tells what they cost."""

from __future__ import annotations

from dataclasses import replace

from django.urls import URLPattern, path

from benchmarks.pages import Cost, Stopwatch, is_page, median, render

CHEAP = Cost(address="/a/", status=200, queries=3, sql_ms=1.0, slowest_ms=0.5, kb=10.0, total_ms=5.0)


def pattern(route: str, name: str) -> URLPattern:
    return path(route, lambda request: None, name=name)  # type: ignore[arg-type, return-value]


def test_a_page_over_a_bound_is_marked_and_the_dearest_comes_first():
    dear = replace(CHEAP, address="/b/", queries=13, sql_ms=9.0)

    lines = render([CHEAP, dear]).splitlines()

    assert lines[1].endswith("! /b/")
    assert lines[2].endswith("  /a/")


def test_each_bound_counts():
    assert CHEAP.is_within_bounds
    assert not replace(CHEAP, queries=13).is_within_bounds
    assert not replace(CHEAP, sql_ms=100.1).is_within_bounds
    assert not replace(CHEAP, kb=150.1).is_within_bounds


def test_the_round_in_the_middle_is_told_whole():
    costs = [replace(CHEAP, total_ms=total, queries=round(total)) for total in (9.0, 1.0, 5.0)]

    assert median(costs).queries == 5


def test_a_stopwatch_counts_what_reads_and_times_everything():
    watch = Stopwatch()

    watch(lambda sql: sql, "SELECT 1")
    watch(lambda sql: sql, "SAVEPOINT s1")

    assert watch.queries == 1
    assert len(watch.spent) == 2


def test_pages_with_arguments_and_forms_to_add_are_no_lists():
    assert is_page(pattern("queue/jobs/", "queue_jobs"))
    assert not is_page(pattern("queue/jobs/<int:job_id>/", "queue_job"))
    assert not is_page(pattern("bookings/property/add/", "bookings_property_add"))
    assert not is_page(pattern("logout/", "logout"))
