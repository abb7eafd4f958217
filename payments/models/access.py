"""The way back of a guest without an account: a link sent to their address, good for one visit."""

from __future__ import annotations

import uuid

from django.core import signing
from django.db import models
from django.db.models import F, Q
from django.urls import reverse
from django.utils.translation import gettext_lazy as _

_SALT = "payments.access_link"


class AccessLink(models.Model):
    """A link to all bookings of an address; the address may be unknown to us, which nobody is told."""

    public_id = models.UUIDField(unique=True, default=uuid.uuid4, editable=False)
    email = models.EmailField(_("e-mail"))
    language = models.CharField(_("language"), max_length=10)
    base_url = models.URLField()
    created_at = models.DateTimeField(_("created"))
    expires_at = models.DateTimeField(_("until"))
    sent_at = models.DateTimeField(_("sent"), null=True, blank=True)
    dropped_at = models.DateTimeField(_("dropped"), null=True, blank=True)

    class Meta:
        verbose_name = _("link to my bookings")
        verbose_name_plural = _("links to my bookings")
        default_permissions = ()
        indexes = (models.Index(name="payments_access_links_newest", fields=("created_at",)),)
        constraints = (
            models.CheckConstraint(
                name="payments_access_link_ends", condition=Q(expires_at__gt=F("created_at"))
            ),
            models.CheckConstraint(
                name="payments_access_link_is_sent_or_dropped",
                condition=Q(sent_at=None) | Q(dropped_at=None),
            ),
        )

    def __str__(self) -> str:
        return f"link {self.pk}"

    def get_absolute_url(self) -> str:
        return reverse("open_access", args=[self.token])

    @property
    def token(self) -> str:
        """The unguessable part of the link: derived from the secret key, so it is stored nowhere."""
        return signing.Signer(salt=_SALT, sep=".").sign(self.public_id.hex)

    @staticmethod
    def public_id_from(token: str) -> uuid.UUID:
        """Return the link that a token opens.

        Raises:
            django.core.signing.BadSignature: the token was not made by this site.
        """
        return uuid.UUID(hex=signing.Signer(salt=_SALT, sep=".").unsign(token))


class GuestVisit(models.Model):
    """The one visit that a link was good for: a second one has no place in the database."""

    link = models.OneToOneField(AccessLink, models.CASCADE, related_name="visit")
    public_id = models.UUIDField(unique=True, default=uuid.uuid4, editable=False)
    started_at = models.DateTimeField(_("begun"))
    ends_at = models.DateTimeField(_("until"))

    class Meta:
        verbose_name = _("visit of a guest")
        verbose_name_plural = _("visits of guests")
        default_permissions = ()

    def __str__(self) -> str:
        return f"visit {self.pk}"
