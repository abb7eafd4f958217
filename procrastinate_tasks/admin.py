"""Django's admin looks here: the job viewer takes the place of Procrastinate's own page."""

from __future__ import annotations

from django.contrib import admin
from procrastinate.contrib.django.models import ProcrastinateJob

from procrastinate_tasks.models import Job
from procrastinate_tasks.viewer.job_admin import JobAdmin
from procrastinate_tasks.viewer.site import JobViewerSite

# Its list reads the whole table, and its actions ask for no permission.
admin.site.unregister(ProcrastinateJob)
if isinstance(admin.site, JobViewerSite):
    admin.site.register(Job, JobAdmin)
