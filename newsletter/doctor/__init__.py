"""The doctor: what is wrong with an installation, and how to mend it."""

from newsletter.doctor.examination import examine
from newsletter.doctor.findings import Finding, Level
from newsletter.doctor.readiness import check_can_send

__all__ = ["Finding", "Level", "check_can_send", "examine"]
