"""The doctor: what is wrong with an installation, and how to fix it."""

from newsletter.sending.doctor.findings import Finding, Level
from newsletter.sending.doctor.preflight import check_can_send
from newsletter.sending.doctor.run import examine

__all__ = ["Finding", "Level", "check_can_send", "examine"]
