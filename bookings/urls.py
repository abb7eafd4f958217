"""The addresses of the pages before there is a booking."""

from __future__ import annotations

from django.urls import path

from bookings import photo_views, views

urlpatterns = [
    path("", views.show_home, name="home"),
    path("terminos/", views.show_legal_text, {"kind": "terms"}, name="terms"),
    path("privacidad/", views.show_legal_text, {"kind": "privacy"}, name="privacy"),
    path("cookies/", views.show_legal_text, {"kind": "cookies"}, name="cookies"),
    path("fotos/<uuid:public_id>/<int:width>.webp", photo_views.show_photo, name="photo"),
    path("casas/<slug:slug>/", views.PropertyView.as_view(), name="property"),
    path("casas/<slug:slug>/espera/", views.wait_for_stay, name="wait_for_stay"),
]
