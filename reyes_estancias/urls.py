"""Every address of the site."""

from __future__ import annotations

from django.contrib import admin
from django.urls import include, path
from django.utils.translation import gettext_lazy as _
from django.views.i18n import set_language

from reyes_estancias.favicon import show_icon
from reyes_estancias.second_factor import ask_for_second_factor

admin.site.site_title = "Reyes Estancias"
admin.site.site_header = _("Reyes Estancias, the office")
admin.site.index_title = _("What there is to see")

handler400 = "reyes_estancias.error_pages.show_bad_request"
handler500 = "reyes_estancias.error_pages.show_fault"

urlpatterns = [
    path("", include("bookings.urls")),
    path("", include("payments.urls")),
    path("favicon.ico", show_icon),
    path("", include("procrastinate_tasks.monitoring.urls")),
    path("idioma/", set_language, name="set_language"),
    path("admin/segundo-factor/", ask_for_second_factor, name="second_factor"),
    path("admin/", admin.site.urls),
]
