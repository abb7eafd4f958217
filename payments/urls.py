"""The addresses of a booking's own pages, and of Stripe's webhook."""

from __future__ import annotations

from django.urls import path

from payments import access_views, views

urlpatterns = [
    path("reserva/<str:token>/", views.show_booking, name="booking"),
    path("reserva/<str:token>/pagar/", views.pay, name="pay"),
    path("reserva/<str:token>/pagado/", views.look_at_payment, name="look_at_payment"),
    path("reserva/<str:token>/estancia.ics", access_views.download_stay, name="stay_calendar"),
    path("reserva/<str:token>/estado/", views.show_state, name="booking_state"),
    path("reserva/<str:token>/tiempo/", views.extend, name="extend_hold"),
    path("reserva/<str:token>/correo/", views.correct_address, name="correct_email"),
    path("reserva/<str:token>/fechas/conservar/", views.keep_dates, name="keep_dates"),
    path("reserva/<str:token>/fechas/", views.ChangeDatesView.as_view(), name="change_dates"),
    path("reserva/<str:token>/cancelar/", views.CancelView.as_view(), name="cancel_booking"),
    path("mis-reservas/", access_views.MyBookingsView.as_view(), name="my_bookings"),
    path("mis-reservas/salir/", access_views.leave, name="leave"),
    path("mis-reservas/entrar/<str:token>/", access_views.OpenAccessView.as_view(), name="open_access"),
    path("webhooks/stripe/", views.receive_stripe_event, name="stripe_webhook"),
]
