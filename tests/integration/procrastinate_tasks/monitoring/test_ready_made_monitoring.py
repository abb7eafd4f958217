"""The dashboard and the rules that are ready to import name only metrics that /metrics has."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from procrastinate_tasks.monitoring.metrics import Kind, Metric, collect

_FOLDER = Path(__file__).parents[4] / "docs" / "monitoring"
_DASHBOARD, _RULES = _FOLDER / "grafana-dashboard.json", _FOLDER / "prometheus-rules.yml"
_NAME = re.compile(r"\bprocrastinate_[a-z_]+\b")


def expressions_of_the_dashboard() -> list[str]:
    panels = json.loads(_DASHBOARD.read_text(encoding="utf-8"))["panels"]
    return [target["expr"] for panel in panels for target in panel["targets"]]


def expressions_of_the_rules() -> list[str]:
    return re.findall(r"^        expr: (.+)$", _RULES.read_text(encoding="utf-8"), re.MULTILINE)


def names_of(metric: Metric) -> Iterator[str]:
    if metric.kind is not Kind.HISTOGRAM:
        yield metric.name
    else:
        yield from (f"{metric.name}_{part}" for part in ("bucket", "sum", "count"))


@pytest.mark.django_db
@pytest.mark.parametrize("read", [expressions_of_the_dashboard, expressions_of_the_rules])
def test_each_metric_that_is_named_exists(read):
    expressions = read()
    known = {name for metric in collect() for name in names_of(metric)}

    named = {name for expression in expressions for name in _NAME.findall(expression)}

    assert len(expressions) > 8
    assert all(_NAME.search(expression) for expression in expressions)
    assert named - known == set()


def test_no_panel_covers_another():
    panels = json.loads(_DASHBOARD.read_text(encoding="utf-8"))["panels"]
    cells = [
        (at["x"] + right, at["y"] + down)
        for at in (panel["gridPos"] for panel in panels)
        for right in range(at["w"])
        for down in range(at["h"])
    ]

    assert len(cells) == len(set(cells))
    assert max(x for x, _y in cells) < 24
