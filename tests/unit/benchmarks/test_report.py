"""The report of the benchmark."""

from __future__ import annotations

import pytest

from benchmarks.figures import Better, Figure, Sample
from benchmarks.report import BEGIN, END, MarkersMissing, Run, render, replace_results, significant

SPEED = Figure(label="speed", unit="jobs/s", better=Better.HIGHER, mark="≥ 10 ×")
COST = Figure(label="statements", unit="", better=Better.LOWER)


def make_run(**changes: object) -> Run:
    given = {
        "peers": ["ours", "theirs", "others"],
        "samples": [
            Sample(figure=SPEED, peer="ours", round_number=0, value=4321.7),
            Sample(figure=SPEED, peer="theirs", round_number=0, value=400),
            Sample(figure=SPEED, peer="others", round_number=0, value=700),
            Sample(figure=COST, peer="ours", round_number=0, value=0.25),
            Sample(figure=COST, peer="theirs", round_number=0, value=6),
        ],
        "command": "make bench",
        "machine": ["a machine", "versions"],
        **changes,
    }
    return Run(**given)  # type: ignore[arg-type]


def test_the_table_has_a_line_a_figure_with_medians_ratios_and_the_mark():
    lines = render(make_run()).splitlines()

    assert lines[-4:] == [
        "|  | ours | theirs | others | × theirs | × others | mark |",
        "| --- | --: | --: | --: | --: | --: | --- |",
        "| speed (jobs/s) | 4,322 | 400 | 700 | 10.8 (10.8) | 6.17 (6.17) | ≥ 10 × |",
        "| statements | 0.25 | 6 | – | 24 (24) | – |  |",
    ]


def test_the_report_names_command_machine_and_who_was_left_out():
    report = render(make_run(left_out=["Celery is left out: there is no redis-server."]))

    assert report.startswith("`make bench`\n\n- a machine\n- versions\n- Celery is left out")


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (12345.6, "12,346"),
        (100, "100"),
        (99.96, "100"),
        (12.34, "12.3"),
        (0.0123456, "0.0123"),
        (3, "3"),
        (0, "0"),
    ],
)
def test_numbers_have_three_significant_digits(value: float, shown: str):
    assert significant(value) == shown


def test_new_results_take_the_place_of_the_last_and_leave_the_rest():
    readme = f"before\n{BEGIN}\n\nold\n\n{END}\nafter\n"

    replaced = replace_results(readme, "new")

    assert replaced == f"before\n{BEGIN}\n\nnew\n\n{END}\nafter\n"
    assert replace_results(replaced, "new") == replaced


@pytest.mark.parametrize("readme", ["", BEGIN, END, f"{END} {BEGIN}"])
def test_a_readme_without_a_place_for_results_is_refused(readme: str):
    with pytest.raises(MarkersMissing, match="needs the two lines"):
        replace_results(readme, "new")
