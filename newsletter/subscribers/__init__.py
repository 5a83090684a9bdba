"""Subscribers: what they ask for, their life from sign-up to erasure, import and export."""

from newsletter.subscribers.accounts import (
    add,
    erase,
    find,
    find_by_email,
    pause,
    resume,
    row_id,
    unsubscribe,
)
from newsletter.subscribers.exporting import export
from newsletter.subscribers.importing import ImportReport, import_csv
from newsletter.subscribers.joining import (
    Confirmed,
    SignUpRequest,
    confirm,
    request_account_link,
    sign_up,
)
from newsletter.subscribers.notes import invite, queue_note
from newsletter.subscribers.preferences import (
    COLUMN_KINDS,
    FULL,
    LESS,
    StatedInterest,
    StatedTopic,
    interests_of,
    preferences_of,
    set_preferences,
    set_topics,
    topics_of,
    weigh,
)
from newsletter.subscribers.suppression import suppress, suppressions
from newsletter.subscribers.values import (
    Preferences,
    TopicRequest,
    normalise_email,
    paper_identity,
    parse_preferences,
    parse_topic,
)

__all__ = [
    "COLUMN_KINDS",
    "FULL",
    "LESS",
    "Confirmed",
    "ImportReport",
    "Preferences",
    "SignUpRequest",
    "StatedInterest",
    "StatedTopic",
    "TopicRequest",
    "add",
    "confirm",
    "erase",
    "export",
    "find",
    "find_by_email",
    "import_csv",
    "interests_of",
    "invite",
    "normalise_email",
    "paper_identity",
    "parse_preferences",
    "parse_topic",
    "pause",
    "preferences_of",
    "queue_note",
    "request_account_link",
    "resume",
    "row_id",
    "set_preferences",
    "set_topics",
    "sign_up",
    "suppress",
    "suppressions",
    "topics_of",
    "unsubscribe",
    "weigh",
]
