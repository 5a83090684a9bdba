"""A send run: claim, render, begin, hand over, record. Everything async about sending is here."""

from newsletter.sending.mailer.options import RunOptions
from newsletter.sending.mailer.plan import SendPlan
from newsletter.sending.mailer.rate_limit import Limits
from newsletter.sending.mailer.reputation import Threshold
from newsletter.sending.mailer.run import SendRun
from newsletter.sending.mailer.tally import Tally
from newsletter.sending.mailer.workers import Workers

__all__ = ["Limits", "RunOptions", "SendPlan", "SendRun", "Tally", "Threshold", "Workers"]
