"""Signing in; groups and users, without the list of permissions that Django moves between two boxes.

That widget puts a name on an element that assistive technology may not read one from, and needs inline style.
"""

from __future__ import annotations

from axes.utils import reset
from django import forms
from django.contrib import admin, messages
from django.contrib.admin.forms import AdminAuthenticationForm
from django.contrib.auth.admin import GroupAdmin, UserAdmin
from django.contrib.auth.forms import UsernameField
from django.contrib.auth.models import Group, User
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django_otp import devices_for_user
from django_otp.plugins.otp_static import admin as _static_pages  # noqa: F401 - registers them
from django_otp.plugins.otp_static.models import StaticDevice
from django_otp.plugins.otp_totp import admin as _totp_pages  # noqa: F401 - registers them
from django_otp.plugins.otp_totp.models import TOTPDevice

admin.site.unregister(Group)
admin.site.unregister(User)
# Their secrets are shown once, when they are made; who lost theirs has them forgotten, below.
admin.site.unregister(StaticDevice)
admin.site.unregister(TOTPDevice)


class SignInForm(AdminAuthenticationForm):
    """Refuses a name that no account can have, before anything looks it up or writes the failure down."""

    username = UsernameField(
        max_length=User._meta.get_field("username").max_length,
        widget=forms.TextInput(attrs={"autofocus": True}),
    )


admin.site.login_form = SignInForm


@admin.register(Group)
class PlainGroupAdmin(GroupAdmin):
    filter_horizontal = ()


@admin.register(User)
class PlainUserAdmin(UserAdmin):  # type: ignore[type-arg]
    filter_horizontal = ()
    actions = ("unlock", "forget_second_factor")

    @admin.action(description=gettext_lazy("Unlock after wrong passwords"), permissions=("change",))
    def unlock(self, request: HttpRequest, users: QuerySet[User]) -> None:
        for user in users:
            reset(username=user.get_username())
            self.log_change(request, user, "unlocked")
        messages.success(request, _("They can sign in again."))

    @admin.action(
        description=gettext_lazy("Forget the second factor, whose telephone is lost"), permissions=("change",)
    )
    def forget_second_factor(self, request: HttpRequest, users: QuerySet[User]) -> None:
        for user in users:
            for device in devices_for_user(user, confirmed=None):
                device.delete()
            self.log_change(request, user, "second factor forgotten")
        messages.success(request, _("They set up a new one when they sign in."))
