"""What a project shows among the queue's pages: panels on the dashboard, and pages of its own."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from django.utils.functional import Promise

from procrastinate_tasks.jobs.descriptions import _connection_kept_usable, logger


@dataclass(frozen=True, slots=True, kw_only=True)
class ExtraPage:
    """A page of the project's in the viewer's navigation; ``permission`` is ``app_label.codename``."""

    title: str | Promise
    url_name: str
    permission: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One number of a panel, already in words; ``url`` leads to what it counts.

    One that needs attention is marked, in a word beside its colour.
    """

    label: str
    value: str
    url: str = ""
    needs_attention: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """A sentence for the dashboard's list of what needs attention, and the page that shows it."""

    sentence: str
    url: str
    is_urgent: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class PanelContent:
    """What a panel shows at one moment; ``note`` says how to read it."""

    figures: tuple[Figure, ...]
    notices: tuple[Notice, ...] = ()
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Panel:
    """A panel of the project's on the dashboard, for those with the ``permission``.

    ``read`` is asked at each refresh: it should be one query, and cheap.
    """

    title: str | Promise
    read: Callable[[], PanelContent]
    permission: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownPanel:
    """A panel as it is shown; ``content`` is None when ``read`` failed."""

    title: str
    content: PanelContent | None


_pages: list[ExtraPage] = []


_panels: list[Panel] = []


def add_page(page: ExtraPage) -> None:
    """Register a page for the viewer's navigation."""
    _pages.append(page)


def add_panel(panel: Panel) -> None:
    """Register a panel for the dashboard."""
    _panels.append(panel)


def extra_pages() -> tuple[ExtraPage, ...]:
    """Return the project's pages, in the order of their registration."""
    return tuple(_pages)


def permissions_of_panels() -> frozenset[str]:
    """Return what one must be allowed to see all panels."""
    return frozenset(panel.permission for panel in _panels)


def shown_panels(may: Callable[[str], bool]) -> tuple[ShownPanel, ...]:
    """Ask the panels for their content, in the order of their registration; one that fails breaks no page.

    Args:
        may: whether the reader has a permission.
    """
    return tuple(
        ShownPanel(title=str(panel.title), content=_told(panel)) for panel in _panels if may(panel.permission)
    )


def _told(panel: Panel) -> PanelContent | None:
    try:
        with _connection_kept_usable():
            return panel.read()
    except Exception:
        logger.exception("A panel of the dashboard failed", extra={"panel": panel.read.__qualname__})
        return None
