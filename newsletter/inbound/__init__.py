"""What comes back: whose it is, and what it changes in the ledger and the subscription."""

from newsletter.inbound.history import Entry, History, history
from newsletter.inbound.matching import Clue, Match, match
from newsletter.inbound.rates import Rate, Rates, rates, why_pause
from newsletter.inbound.recording import Recorded, apply, receive, record_rejection

__all__ = [
    "Clue",
    "Entry",
    "History",
    "Match",
    "Rate",
    "Rates",
    "Recorded",
    "apply",
    "history",
    "match",
    "rates",
    "receive",
    "record_rejection",
    "why_pause",
]
