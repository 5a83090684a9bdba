"""The matches of many topics with the papers on their shortlists. Pure."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from newsletter.ranking import match, scoring
from newsletter.ranking.candidates import SubscriberProfile, TopicProfile
from newsletter.ranking.encoders import Vectors
from newsletter.ranking.match import MatchModel
from newsletter.ranking.match_features import MatchFeatures


class Matcher:
    """Matches for one set of candidates."""

    def __init__(self, features: MatchFeatures, found: scoring.Matches, model: MatchModel) -> None:
        self._features = features
        self._found = found
        self._model = model

    def of(
        self, profiles: Sequence[SubscriberProfile], papers: NDArray[np.int64], steps: Vectors
    ) -> Vectors:
        """(T, p) matches of papers (T, p) that reached ``steps`` in all topics of ``profiles``.

        0 where a paper may not appear.
        """
        topics = [topic for profile in profiles for topic in profile.topics]
        plain = np.maximum(steps, scoring.LOWEST)
        sliders = np.array([p.popularity for p in profiles for _ in p.topics], np.float32)
        if sliders.any():
            votes = scoring.popularity(self._found.candidates)
            plain -= sliders[:, None] * np.float32(scoring.POPULARITY / 100) * votes[papers]
        following = [
            index for index, topic in enumerate(topics) if scoring.gains(topic, self._found)
        ]
        for index in following:
            plain[index] -= scoring.follows(topics[index], self._found)[papers[index]]
        found = np.zeros(papers.shape, np.float32)
        allowed = steps > scoring.NEVER
        for places in _of_one_size(topics):
            some = [topics[index] for index in places]
            ways, keywords_only = match.ways_of(some)
            features = self._features.of(some, papers[places], plain[places])
            found[places] = self._model.probabilities(
                ways, features, keywords_only=keywords_only, allowed=allowed[places]
            )
        if following:
            self._add_follows(found, topics, following, papers)
        found = self._found.candidates.calibration.of(found)
        found[~allowed] = 0
        return found

    def _add_follows(
        self,
        found: Vectors,
        topics: Sequence[TopicProfile],
        following: Sequence[int],
        papers: NDArray[np.int64],
    ) -> None:
        """Raise the matches of the topics ``following`` by what they follow, in place."""
        author, category, cites = (
            np.zeros((len(following), papers.shape[1]), np.float32) for _ in range(3)
        )
        for place, index in enumerate(following):
            followed, mine = self._found.followed(topics[index]), papers[index]
            followed.author.take(mine, out=author[place])
            followed.category.take(mine, out=category[place])
            if cited := self._found.cited_by(topics[index]):
                cites[place] = np.isin(mine, list(cited))
        found[following] = match.with_follows(found[following], author, category, cites)


def _of_one_size(topics: Sequence[TopicProfile]) -> list[NDArray[np.int64]]:
    """Places of topics that have about as many pieces of evidence: they share a rectangle."""
    sizes = np.array(
        [0 if t.evidence is None else len(t.evidence.rows).bit_length() for t in topics]
    )
    return [np.flatnonzero(sizes == size) for size in np.unique(sizes) if size]
