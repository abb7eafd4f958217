"""A second factor for those who may have money moved: an authenticator app, or one of ten recovery codes.

Whoever needs one and has none sets it up when they sign in. Until they have shown it, the office is closed.
"""

from __future__ import annotations

import base64
from collections.abc import Callable
from io import BytesIO

import qrcode
import qrcode.image.svg
from django import forms
from django.conf import settings
from django.contrib.admin.views.decorators import staff_member_required
from django.contrib.auth.models import AnonymousUser, User
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.cache import never_cache
from django_otp import login, match_token, user_has_device
from django_otp.plugins.otp_static.models import StaticDevice, StaticToken
from django_otp.plugins.otp_totp.models import TOTPDevice

RECOVERY_CODES = 10
_OPEN_PAGES = ("second_factor", "admin:login", "admin:logout", "admin:jsi18n")


class SecondFactorMiddleware:
    """Lead those who need a second factor, and have not shown it, to the page that asks for it."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        is_office = request.path.startswith(reverse("admin:index"))
        if is_office and needs_second_factor(request) and request.path not in map(reverse, _OPEN_PAGES):
            return redirect(f"{reverse('second_factor')}?next={request.path}")
        return self._get_response(request)


def needs_second_factor(request: HttpRequest) -> bool:
    """Tell whether whoever asks may have money moved, and has not shown their second factor."""
    if not settings.SECOND_FACTOR_REQUIRED or not request.user.is_authenticated:
        return False
    return not request.user.is_verified() and _may_move_money(request.user)  # type: ignore[attr-defined]


def _may_move_money(user: User | AnonymousUser) -> bool:
    return any(
        user.has_perm(f"{app}.{codename}")
        for app, codenames in settings.SECOND_FACTOR_PERMISSIONS.items()
        for codename in codenames
    )


class TokenForm(forms.Form):
    """What an authenticator app shows, or a recovery code."""

    token = forms.CharField(
        label=gettext_lazy("Code"),
        max_length=16,
        widget=forms.TextInput({"autocomplete": "one-time-code", "inputmode": "text", "autofocus": True}),
    )

    def clean_token(self) -> str:
        return "".join(str(self.cleaned_data["token"]).split())


@never_cache
@staff_member_required
def ask_for_second_factor(request: HttpRequest) -> HttpResponse:
    """Ask for a code; of whoever has no second factor yet, set it up first."""
    form = TokenForm(request.POST or None)
    user = request.user
    if user_has_device(user):
        return _verify(request, form)
    device, _is_new = TOTPDevice.objects.get_or_create(user=user, confirmed=False, defaults={"name": "app"})
    if not form.is_valid() or not device.verify_token(form.cleaned_data["token"]):
        return _show(request, _with_error(form), device=device)
    with transaction.atomic():
        device.confirmed = True
        device.save(update_fields=("confirmed",))
        codes = _make_recovery_codes(device)
    login(request, device)
    return render(request, "admin/second_factor_codes.html", {**_titled(request), "codes": codes})


def _verify(request: HttpRequest, form: TokenForm) -> HttpResponse:
    device = match_token(request.user, form.cleaned_data["token"]) if form.is_valid() else None
    if device is None:
        return _show(request, _with_error(form))
    login(request, device)
    target = request.GET.get("next", "")
    is_ours = url_has_allowed_host_and_scheme(target, allowed_hosts=None)
    return redirect(target if is_ours else reverse("admin:index"))


def _with_error(form: TokenForm) -> TokenForm:
    if form.is_bound and form.is_valid():
        form.add_error("token", _("This code is not right, or was used already. Wait for the next one."))
    return form


def _show(request: HttpRequest, form: TokenForm, *, device: TOTPDevice | None = None) -> HttpResponse:
    context = {**_titled(request), "form": form, "device": device}
    if device is not None:
        context |= {"picture": _picture_of(device.config_url), "secret": _secret_of(device)}
    return render(request, "admin/second_factor.html", context)


def _titled(request: HttpRequest) -> dict[str, object]:
    return {
        "title": _("Second factor"),
        "site_header": _("Reyes Estancias, the office"),
        "user": request.user,
    }


def _make_recovery_codes(device: TOTPDevice) -> list[str]:
    codes = [StaticToken.random_token() for _ in range(RECOVERY_CODES)]
    static = StaticDevice.objects.create(user=device.user, name="recovery")
    StaticToken.objects.bulk_create(StaticToken(device=static, token=code) for code in codes)
    return codes


def _secret_of(device: TOTPDevice) -> str:
    text = base64.b32encode(device.bin_key).decode().rstrip("=")
    return " ".join(text[at : at + 4] for at in range(0, len(text), 4))


def _picture_of(address: str) -> str:
    """Return a QR code as a picture that the page's policy allows: an address of its own would be stored."""
    written = BytesIO()
    qrcode.make(address, image_factory=qrcode.image.svg.SvgPathImage).save(written)
    return written.getvalue().decode().partition("?>")[2]
