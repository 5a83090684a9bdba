"""The papers that a preview ranks, kept in memory: loading them takes longer than ranking."""

import time
from dataclasses import dataclass, field
from threading import Lock

from sqlmodel import Session, col, select

from newsletter.core.database import utc_now
from newsletter.core.models import Space
from newsletter.messages import digest
from newsletter.papers import browse
from newsletter.ranking.candidates import Candidates
from newsletter.ranking.profiles import judgements, profiles

# Votes and revisions may be this old in a preview, in seconds; new papers come in at once.
FRESH = 300.0


@dataclass
class CandidateCache:
    """Candidates of the last days, reloaded when papers or the feature space have changed.

    Nothing is written: a vector that no row holds yet is computed for this process alone.
    """

    model: str
    _lock: Lock = field(default_factory=Lock)
    _key: tuple[object, ...] = ()
    _until: float = 0.0
    _kept: Candidates | None = None

    def candidates(self, session: Session) -> Candidates:
        """What any preview may show; each profile's ``since`` narrows it."""
        newest = browse.newest_id(session)
        space = session.exec(
            select(Space.id, Space.collaboration_id).order_by(col(Space.created_at).desc()).limit(1)
        ).first()
        key = (newest, *(space or ()), judgements.current(session))
        with self._lock:  # of several requests at once, one loads
            if self._kept is None or key != self._key or time.monotonic() > self._until:
                since = utc_now() - digest.CANDIDATE_WINDOW
                self._kept = profiles.load_candidates(session, since, self.model)
                self._key, self._until = key, time.monotonic() + FRESH
            return self._kept
