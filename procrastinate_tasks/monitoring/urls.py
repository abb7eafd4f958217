"""Addresses for probes and monitoring; a project includes them where it likes."""

from __future__ import annotations

from django.urls import path

from procrastinate_tasks.monitoring import views

app_name = "monitoring"
urlpatterns = [
    path("salud/vivo", views.live, name="live"),
    path("salud/listo", views.ready, name="ready"),
    path("salud/cola", views.queue, name="queue"),
    path("metrics", views.prometheus_metrics, name="metrics"),
]
