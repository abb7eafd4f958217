"""How the office writes instants."""

from __future__ import annotations

from django import template

from bookings.read_only import write_instant

register = template.Library()

register.simple_tag(write_instant, name="office_instant")
