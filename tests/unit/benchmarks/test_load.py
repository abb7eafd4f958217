"""What the load test makes of what it saw."""

from __future__ import annotations

from dataclasses import replace

import pytest

from benchmarks.load.figures import PageFigures, read_figures
from benchmarks.load.report import Run, broken_promises, render

CSV = """\
Type,Name,Request Count,Failure Count,Max Response Time,Requests/s,50%,95%
GET,the homes,120,0,80.4,2.0,30,61
POST,(at the local Stripe) pay,9,0,300,0.1,300,310
,Aggregated,129,0,310,2.1,31,70
"""
RUN = Run(
    command="make load",
    machine=["a machine"],
    guests=200,
    slow_clients=20,
    seconds=60,
    pages=read_figures(CSV.splitlines()),
    bookings=7,
    due=240,
    charged=240,
    charged_twice=0,
    lateness_p95=0.4,
    connections={"jobs": 4, "web": 4},
    connections_at_once=11,
    web_megabytes=90,
    worker_megabytes=110,
)


def test_the_pages_of_the_local_stripe_are_left_out():
    assert [page.name for page in RUN.pages] == ["the homes", "Aggregated"]
    assert RUN.pages[0] == PageFigures(
        name="the homes", requests=120, errors=0, p50=30, p95=61, slowest=80, per_second=2.0
    )


def test_a_run_that_keeps_its_promises_breaks_none():
    assert list(broken_promises(RUN)) == []


@pytest.mark.parametrize(
    ("run", "promise"),
    [
        (replace(RUN, pages=[replace(RUN.pages[1], errors=3)]), "3 requests failed"),
        (replace(RUN, connections_at_once=21), "21 connections were open at once, 20 are allowed"),
        (replace(RUN, charged=239), "of 240 balances 239 were charged, 0 twice"),
        (replace(RUN, charged_twice=1), "of 240 balances 240 were charged, 1 twice"),
        (
            replace(RUN, pages=[replace(RUN.pages[1], p95=301)]),
            "one request in 20 took 301 ms or more, 300 ms are promised",
        ),
        (replace(RUN, bookings=0), "no guest got to a confirmed booking"),
    ],
)
def test_each_broken_promise_is_named(run: Run, promise: str):
    assert list(broken_promises(run)) == [promise]


def test_the_report_has_a_line_a_page_and_what_went_on_beside():
    report = render(RUN)

    assert report.startswith("`make load`: 200 guests for 60 s, 20 slow clients beside them")
    assert "| **all** | 129 | 2.1 | 0 | 31 ms | 70 ms | 310 ms |" in report
    assert "| connections at once, of 20 | 11 (most of each: jobs 4, web 4) |" in report
