"""Django's admin looks here: the job viewer takes the place of Procrastinate's own page."""

from __future__ import annotations

from django.contrib import admin
from procrastinate.contrib.django.models import ProcrastinateJob

from procrastinate_tasks.models import Job
from procrastinate_tasks.viewer.jobs import JobAdmin

admin.site.unregister(ProcrastinateJob)
admin.site.register(Job, JobAdmin)
