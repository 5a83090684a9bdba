"""Why a reader got no papers, as the reader is told it and as the operator reads it."""

import re

from sqlalchemy import ColumnElement, exists
from sqlmodel import col

from newsletter.core.language import N_
from newsletter.core.models import Delivery, NoDigest

WIDEN = N_(
    "To get more, add keywords or papers you like, or ask for a full list in your preferences."
)
LOWER = N_("To get more, lower your minimum match in your preferences.")
UNMUTE = N_("To get more, mute less in your preferences.")
OF_GROUP = N_("In your group only the member who keeps it can change this.")


def for_operator(reason: str) -> str:
    """The reason without what the reader can do about it, and about the reader."""
    said = reason.partition(". To get more, ")[0].partition(f". {OF_GROUP}")[0]
    return re.sub(r"\byour\b", "their", re.sub(r"\byou\b", "they", said))


def got_no_mail(edition_id: int | None) -> ColumnElement[bool]:
    """Of those who were due without papers, the ones who were not sent a note that says so."""
    mailed = exists().where(
        col(Delivery.edition_id) == edition_id,
        col(Delivery.subscriber_id) == NoDigest.subscriber_id,
    )
    return (col(NoDigest.edition_id) == edition_id) & ~mailed
