"""A send run: claim, render, begin, hand over, record. Everything async about sending is here."""

from newsletter.mailer.pacing import Limits
from newsletter.mailer.plan import SendPlan
from newsletter.mailer.reputation import Threshold
from newsletter.mailer.run import SendRun, Tally
from newsletter.mailer.workers import Workers

__all__ = ["Limits", "SendPlan", "SendRun", "Tally", "Threshold", "Workers"]
