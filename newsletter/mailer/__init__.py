"""A send run: claim, render, begin, hand over, record. Everything async about sending is here."""

from newsletter.mailer.pacing import Limits
from newsletter.mailer.run import SendRun, Tally

__all__ = ["Limits", "SendRun", "Tally"]
