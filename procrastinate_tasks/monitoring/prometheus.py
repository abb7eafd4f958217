"""Prometheus's text format: what a metric is, and how it is written.

Source: https://prometheus.io/docs/instrumenting/exposition_formats/ (text format 0.0.4)
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

Value = float | bool | timedelta | datetime


class Kind(StrEnum):
    """A counter only grows; its name ends with ``_total``."""

    GAUGE = "gauge"
    COUNTER = "counter"


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One number. Durations are written in seconds, instants in seconds since 1970."""

    value: Value
    labels: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """Numbers of one name, told apart by their labels."""

    name: str
    help: str
    samples: tuple[Sample, ...]
    kind: Kind = Kind.GAUGE


def render(metrics: Iterable[Metric]) -> str:
    """Write metrics down; those without a sample are left out."""
    return "".join(line + "\n" for metric in metrics if metric.samples for line in _lines(metric))


def _lines(metric: Metric) -> Iterator[str]:
    yield f"# HELP {metric.name} {_escape(metric.help, quotes=False)}"
    yield f"# TYPE {metric.name} {metric.kind}"
    for sample in metric.samples:
        labels = ",".join(f'{name}="{_escape(value, quotes=True)}"' for name, value in sample.labels.items())
        yield (
            f"{metric.name}{{{labels}}} {_number(sample.value)}"
            if labels
            else (f"{metric.name} {_number(sample.value)}")
        )


def _escape(text: str, *, quotes: bool) -> str:
    escaped = text.replace("\\", r"\\").replace("\n", r"\n")
    return escaped.replace('"', r"\"") if quotes else escaped


def _number(value: Value) -> str:
    if isinstance(value, timedelta):
        return repr(value.total_seconds())
    if isinstance(value, datetime):
        return repr(value.timestamp())
    return repr(float(value))
