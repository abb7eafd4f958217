"""Django's admin looks here: the job viewer takes the place of Procrastinate's own page."""

from __future__ import annotations

from django.contrib import admin
from procrastinate.contrib.django.models import ProcrastinateJob

# Its list reads the whole table, and its actions ask for no permission.
admin.site.unregister(ProcrastinateJob)
