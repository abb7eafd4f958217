"""Staff add photos to homes, say what they show, and put them in order."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin
from django.core.files.base import File
from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from bookings import photo_files
from bookings.exceptions import PhotoRefused
from bookings.models import Property, PropertyPhoto
from bookings.read_only import OfficeList


class PhotoForm(forms.ModelForm):  # type: ignore[type-arg]
    """A new photo: its file is read for what it is while the form is checked."""

    file = forms.FileField(
        label=_("file"),
        help_text=_("JPEG, PNG or WebP of at most 8 MB, at least 960 pixels wide; 1600 are better."),
        widget=forms.FileInput({"accept": "image/jpeg,image/png,image/webp"}),
    )

    class Meta:
        model = PropertyPhoto
        fields = ("home", "file", "alt", "position")

    def clean_home(self) -> Property:
        home: Property = self.cleaned_data["home"]
        if home.photos.count() >= photo_files.MOST_FOR_A_HOME:
            raise forms.ValidationError(_("This home has 20 photos already. Delete one first."))
        return home

    def clean_file(self) -> photo_files.Photo:
        file: File[bytes] = self.cleaned_data["file"]
        try:
            return photo_files.read_photo(file.read(photo_files.MOST_FILE_BYTES + 1))
        except PhotoRefused as refusal:
            raise forms.ValidationError(str(refusal)) from refusal


class PositionForm(forms.ModelForm):  # type: ignore[type-arg]
    """A row of the list: its column's head names no field to who cannot see it, so each says whose it is."""

    class Meta:
        model = PropertyPhoto
        fields = ("position",)

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        position = self.fields["position"]
        label = gettext("Order of the photo: %(alt)s") % {"alt": self.instance.alt}
        position.widget.attrs["aria-label"] = label
        position.help_text = ""  # a list shows none, and a field must not point at what is not there


@admin.register(PropertyPhoto)
class PhotoAdmin(OfficeList, admin.ModelAdmin):  # type: ignore[type-arg]
    """The picture itself never changes: its address is kept by browsers for a year."""

    list_display = ("thumbnail", "home", "alt", "position")
    list_display_links = ("thumbnail", "alt")
    list_editable = ("position",)
    list_filter = ("home",)
    list_select_related = ("home",)

    def get_form(self, request: Any, obj: Any = None, change: bool = False, **options: Any) -> Any:
        return PhotoForm if obj is None else super().get_form(request, obj, change, **options)

    def get_changelist_form(self, request: Any, **options: Any) -> Any:
        return super().get_changelist_form(request, form=PositionForm, **options)

    def get_fields(self, request: HttpRequest, obj: PropertyPhoto | None = None) -> Any:
        return (
            ("home", "file", "alt", "position") if obj is None else ("thumbnail", "home", "alt", "position")
        )

    def get_readonly_fields(self, request: HttpRequest, obj: PropertyPhoto | None = None) -> Any:
        return () if obj is None else ("thumbnail", "home")

    def save_model(self, request: HttpRequest, obj: PropertyPhoto, form: Any, change: bool) -> None:
        if change:
            super().save_model(request, obj, form, change)
        else:
            photo_files.store_photo(obj, form.cleaned_data["file"])

    @admin.display(description=_("photo"))
    def thumbnail(self, photo: PropertyPhoto) -> SafeString:
        return format_html(
            '<img src="{}" alt="{}" width="160" height="{}" loading="lazy">',
            photo.address(480),
            photo.alt,
            round(photo.height * 160 / photo.width),
        )
