"""What a project has done when a job process begins, and when it ends: exporters, pools, caches of its own.

::

    @on_process_start
    def start_exporter() -> None: ...

    @on_process_stop
    def flush_exporter() -> None: ...

A worker's job processes are forks of its supervisor, which may hold no thread and no connection: what needs
one begins here. A function that raises is logged, and the process goes on. A process that ends in good order
(it is replaced, or the worker stops) runs the stop functions, the last one first, and then ``atexit``'s; it
is given a few seconds for all of them. One that is killed runs none.
"""

from __future__ import annotations

import atexit
import logging
import weakref
from collections.abc import Callable, Iterable

Hook = Callable[[], object]

logger = logging.getLogger(__name__)

_at_start: list[Hook] = []
_at_stop: list[Hook] = []


def on_process_start(hook: Hook) -> Hook:
    """Has a function run at the beginning of each job process, before it takes a job."""
    _at_start.append(hook)
    return hook


def on_process_stop(hook: Hook) -> Hook:
    """Has a function run at the end of each job process, after its last job."""
    _at_stop.append(hook)
    return hook


def begin_process() -> None:
    """Runs what was registered for the start.

    The supervisor's finalizers, as those of its temporary directories, are its own to run.
    """
    for finalizer in list(getattr(weakref.finalize, "_registry", ())):
        finalizer.atexit = False
    _run(_at_start)


def end_process() -> None:
    """Runs what was registered for the stop, then ``atexit``'s functions, as the interpreter would."""
    _run(reversed(_at_stop))
    atexit._run_exitfuncs()


def _run(hooks: Iterable[Hook]) -> None:
    for hook in hooks:
        try:
            hook()
        except Exception:
            logger.exception("%s failed", getattr(hook, "__qualname__", hook))
