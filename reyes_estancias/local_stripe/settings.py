"""What a test or the demo may set while the local Stripe runs."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields, replace
from typing import Any

from reyes_estancias.local_stripe.errors import Document
from reyes_estancias.local_stripe.store import Store


@dataclass(frozen=True, slots=True)
class Settings:
    """``webhook_duplicates`` is how many more times each event is sent; with ``webhook_reorder_seconds`` the
    events of each such window go out newest first. Thin ones only name their object. Above ``calls_a_second``
    a call is refused; 0 is no limit.
    """

    latency_ms: int = 0
    calls_a_second: int = 0
    clock_offset_seconds: int = 0
    webhook_duplicates: int = 0
    webhook_delay_seconds: float = 0.0
    webhook_reorder_seconds: float = 0.0
    are_webhooks_dropped: bool = False
    are_webhooks_thin: bool = False


class InvalidSetting(Exception):
    def __init__(self, name: str, value: object) -> None:
        self.name = name
        names = ", ".join(each.name for each in fields(Settings))
        super().__init__(f"{name}={value!r} is no setting of the local Stripe; it has {names}")


def read_settings(store: Store) -> Settings:
    return Settings(**(store.get("settings", "settings") or {}))


def change_settings(store: Store, changes: Document) -> Settings:
    """Store the changed settings and return them all.

    Raises:
        InvalidSetting: an unknown name, a negative value or one of another type.
    """
    settings = read_settings(store)
    for name, value in changes.items():
        settings = replace(settings, **{name: _check(name, value)})
    store.put("settings", "settings", asdict(settings))
    return settings


def _check(name: str, value: object) -> Any:
    default = getattr(Settings(), name) if name in {each.name for each in fields(Settings)} else None
    if isinstance(default, bool) and isinstance(value, bool):
        return value
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if default is None or isinstance(default, bool) or not is_number:
        raise InvalidSetting(name, value)
    if float(value) < 0 and name != "clock_offset_seconds":  # type: ignore[arg-type]
        raise InvalidSetting(name, value)
    return type(default)(value)
