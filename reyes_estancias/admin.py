"""Signing in; groups and users, without the list of permissions that Django moves between two boxes.

That widget puts a name on an element that assistive technology may not read one from, and needs inline style.
"""

from __future__ import annotations

from typing import Any

from axes.utils import reset
from django import forms
from django.contrib import admin, messages
from django.contrib.admin.forms import AdminAuthenticationForm
from django.contrib.auth.admin import GroupAdmin, UserAdmin
from django.contrib.auth.forms import UsernameField
from django.contrib.auth.models import Group, Permission, User
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


_USUAL = {
    "add": gettext_lazy("Can add"),
    "change": gettext_lazy("Can change"),
    "delete": gettext_lazy("Can delete"),
    "view": gettext_lazy("Can see"),
}


class PermissionField(forms.ModelMultipleChoiceField):  # type: ignore[type-arg]
    """Permissions in the reader's language: Django keeps their names in the one they were written in."""

    def label_from_instance(self, permission: Permission) -> str:
        verb, _separator, model = permission.codename.partition("_")
        is_usual = verb in _USUAL and model == permission.content_type.model
        words = _USUAL[verb] if is_usual else _(permission.name)
        return f"{permission.content_type} | {words}"


class InOneList:
    """Mix into the pages of groups and users."""

    filter_horizontal: Any = ()

    def formfield_for_manytomany(self, db_field: Any, request: Any = None, **options: Any) -> Any:
        if db_field.related_model is Permission:
            options["form_class"] = PermissionField
        return super().formfield_for_manytomany(db_field, request, **options)  # type: ignore[misc]


@admin.register(Group)
class PlainGroupAdmin(InOneList, GroupAdmin):
    """A group, with its permissions in words."""


@admin.register(User)
class PlainUserAdmin(InOneList, UserAdmin):  # type: ignore[type-arg]
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
