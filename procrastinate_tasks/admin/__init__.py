"""Django's admin looks for this module: it puts the job viewer in the place of Procrastinate's own page."""

from __future__ import annotations

from django.contrib import admin
from procrastinate.contrib.django.models import ProcrastinateJob

from procrastinate_tasks.admin.jobs import JobAdmin
from procrastinate_tasks.models import Job

if admin.site.is_registered(ProcrastinateJob):
    admin.site.unregister(ProcrastinateJob)
admin.site.register(Job, JobAdmin)
