"""The actions a page offers on a job, as buttons, as links to the page in between, or as why not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from django.urls import reverse
from django.utils.http import urlencode

from procrastinate_tasks.action_policies import Action, JobToActOn, Tier
from procrastinate_tasks.offers import Offer, offers_of
from procrastinate_tasks.permissions import HasPermissions
from procrastinate_tasks.presentation import JobStory

_ONLY_IF_POSSIBLE = (Action.RELEASE, Action.RESCUE)


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownOffer:
    """An action on one job: ``button`` is what its form sends, ``url`` the page to confirm it on.

    Neither is set where it is impossible: then ``why_not`` says why.
    """

    label: str
    button: str = ""
    url: str = ""
    why_not: str = ""


def shown_offers(
    job: JobToActOn, story: JobStory, *, user: HasPermissions, back: str, site_name: str
) -> tuple[ShownOffer, ...]:
    """Return what this user may do to a job; what is not possible now stands at the end."""
    offers = sorted(
        offers_of(job, user=user, safety=story.retry_safety), key=lambda offer: not offer.is_possible
    )
    return tuple(
        _show(offer, job_id=job.id, back=back, site_name=site_name)
        for offer in offers
        if offer.is_permitted and (offer.is_possible or offer.action not in _ONLY_IF_POSSIBLE)
    )


def confirmation_address(
    action: Action, *, site_name: str, back: str, job_ids: Sequence[int] = (), **target: str
) -> str:
    """Return where an action is looked at before it is done; ``queue`` or ``schedule`` may be the target."""
    query = [("action", action.value), *[("job", str(job_id)) for job_id in job_ids], *target.items()]
    address = reverse("admin:queue_confirm", current_app=site_name)
    return f"{address}?{urlencode([*query, ('next', back)])}"


def _show(offer: Offer, *, job_id: int, back: str, site_name: str) -> ShownOffer:
    if not offer.is_possible:
        return ShownOffer(label=offer.label, why_not=offer.sentence)
    if offer.tier <= Tier.BUTTON and not offer.needs_reason:
        return ShownOffer(label=offer.label, button=f"{offer.action}:{job_id}")
    url = confirmation_address(offer.action, site_name=site_name, back=back, job_ids=(job_id,))
    return ShownOffer(label=offer.label, url=url)
