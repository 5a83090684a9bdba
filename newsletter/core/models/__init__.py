"""Every table and status, without behaviour. The database refuses what must never happen.

One file per owner. Times are UTC, keys are integers, and rows that belong to a subscriber go
with the subscriber.
"""

from newsletter.core.models.broadcasts import Broadcast
from newsletter.core.models.deliveries import Delivery, DeliveryKind, DeliveryStatus, Pace
from newsletter.core.models.editions import (
    DigestItem,
    Edition,
    EditionPaper,
    EditionStatus,
    Label,
    NoDigest,
    Occasion,
)
from newsletter.core.models.events import (
    UNPROVEN,
    ClickBy,
    DeliveryEvent,
    EventKind,
    KeptMail,
    Permanence,
    Reason,
    UsedToken,
)
from newsletter.core.models.news import ChangeKind, DigestNews, PaperChange
from newsletter.core.models.operator import OperatorSession
from newsletter.core.models.papers import (
    Announcement,
    AuthorOrcid,
    Citation,
    FetchLog,
    FetchStatus,
    Paper,
    PaperAlias,
    PaperLookup,
    SourceState,
)
from newsletter.core.models.ranking import MatchCalibration, PaperVector, Profile, Space
from newsletter.core.models.subscribers import (
    Cadence,
    DigestLength,
    Feedback,
    Interest,
    InterestKind,
    RateLimit,
    Signal,
    SignUp,
    Subscriber,
    SubscriberStatus,
    Suppression,
    SuppressionReason,
    SuppressionRemoval,
    Topic,
    hash_of_value,
)

__all__ = [
    "UNPROVEN",
    "Announcement",
    "AuthorOrcid",
    "Broadcast",
    "Cadence",
    "ChangeKind",
    "Citation",
    "ClickBy",
    "Delivery",
    "DeliveryEvent",
    "DeliveryKind",
    "DeliveryStatus",
    "DigestItem",
    "DigestLength",
    "DigestNews",
    "Edition",
    "EditionPaper",
    "EditionStatus",
    "EventKind",
    "Feedback",
    "FetchLog",
    "FetchStatus",
    "Interest",
    "InterestKind",
    "KeptMail",
    "Label",
    "MatchCalibration",
    "NoDigest",
    "Occasion",
    "OperatorSession",
    "Pace",
    "Paper",
    "PaperAlias",
    "PaperChange",
    "PaperLookup",
    "PaperVector",
    "Permanence",
    "Profile",
    "RateLimit",
    "Reason",
    "SignUp",
    "Signal",
    "SourceState",
    "Space",
    "Subscriber",
    "SubscriberStatus",
    "Suppression",
    "SuppressionReason",
    "SuppressionRemoval",
    "Topic",
    "UsedToken",
    "hash_of_value",
]
