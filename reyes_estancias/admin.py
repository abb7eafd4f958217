"""Groups and users, without the list of permissions that Django moves between two boxes.

That widget puts a name on an element that assistive technology may not read one from, and needs inline style.
"""

from __future__ import annotations

from django.contrib import admin
from django.contrib.auth.admin import GroupAdmin, UserAdmin
from django.contrib.auth.models import Group, User

admin.site.unregister(Group)
admin.site.unregister(User)


@admin.register(Group)
class PlainGroupAdmin(GroupAdmin):
    filter_horizontal = ()


@admin.register(User)
class PlainUserAdmin(UserAdmin):  # type: ignore[type-arg]
    filter_horizontal = ()
