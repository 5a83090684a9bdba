"""The brake: when a relay refuses nearly everything alike, the run stops and takes that back.

What one refusal says of one address is believed; what it says of everybody is about the sender,
the account or the list, and going on only makes the reputation worse.
"""

from collections import Counter, deque
from dataclasses import dataclass, field

from newsletter.core.models import DeliveryStatus
from newsletter.core.refusals import POLICY, kind_of
from newsletter.sending.ledger import FEWEST_REFUSED, Result

# Policy refusals (5.7.x: bad signature, bad reputation, too much mail) hit everybody alike. Single
# ones are normal: some mailboxes refuse all.
WINDOW = 20
POLICY_STORM = 10
# So many of the last 20, of several domains, refused alike: an account that was closed midway.
NEARLY_ALL = 18


@dataclass(slots=True)
class Brake:
    """Watches one run; ``reason`` says why to stop, and ``kind`` what was refused, once it must."""

    reason: str = ""
    kind: str = ""
    _tried: int = 0
    _kinds: Counter[str] = field(default_factory=Counter)
    _domains: set[str] = field(default_factory=set)
    _last: deque[tuple[str, str]] = field(default_factory=lambda: deque(maxlen=WINDOW))

    def note(self, result: Result, domain: str) -> bool:
        """Take one result in; True if the run should stop. What is tried again never counts."""
        is_refused = result.status is DeliveryStatus.FAILED and result.code >= 500
        if not is_refused and result.status is not DeliveryStatus.SENT:
            return bool(self.reason)
        kind = kind_of(result.code, result.response) if is_refused else ""
        self._tried += 1
        self._domains.add(domain)
        self._last.append((kind, domain))
        if kind:
            self._kinds[kind] += 1
            alike, of = self._alike(kind)
            if alike and not self.reason:
                self.kind = kind
                what = "by policy" if kind == POLICY else "in the same words"
                self.reason = (
                    f"{alike} of the {of} messages were refused {what}; nobody is suppressed for "
                    f"it, they wait for the next `newsletter send`; the relay said: "
                    f"{result.code} {result.response}"
                )
        return bool(self.reason)

    def _alike(self, kind: str) -> tuple[int, str]:
        """How many were refused like this, of which ones, if that is too many; else 0."""
        number = self._kinds[kind]
        if self._tried >= FEWEST_REFUSED and number * 2 > self._tried:
            return number, f"first {self._tried}"
        lately = [domain for each, domain in self._last if each == kind]
        enough = POLICY_STORM if kind == POLICY else NEARLY_ALL
        # One employer's mailboxes may all be gone, and its people stand together in the list.
        is_everywhere = kind == POLICY or len(set(lately)) > 1 or len(self._domains) == 1
        is_enough = len(lately) >= enough and (kind == POLICY or self._tried >= FEWEST_REFUSED)
        if is_enough and is_everywhere:
            return len(lately), f"last {len(self._last)}"
        return 0, ""
