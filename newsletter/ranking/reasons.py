"""Why a paper is in a digest, in sentences that are true of this paper. Pure.

In order of strength: the phrase of an interest that stands in the paper, as it is written there;
the liked paper that it resembles, and rare words that both have; the author or category that is
followed. Two are said at most, each as a line of its own, so that what a section's papers have
in common can be said once. Each line comes with the bar of what it names (see `explanations.bar`),
"" where the reader was not asked about it.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from sklearn.feature_extraction.text import ENGLISH_STOP_WORDS

from newsletter.core import language
from newsletter.core.language import N_, _, gettext
from newsletter.core.persons import Fit
from newsletter.ranking import attribution, scoring
from newsletter.ranking.candidates import KINDS, Candidates, TopicProfile
from newsletter.ranking.explanations import bar, short
from newsletter.ranking.match_features import is_keyword
from newsletter.ranking.words import phrase_of, spelled, stem, tokens

MOST = 2  # reasons a paper
MOST_NAMED = 3  # keywords in one
SHARED = 2  # words named that two papers have in common
SHORTEST_SHARED = 4  # letters; shorter ones are hardly ever what a paper is about
# Words that are rare enough to say something: at most this share of the day's papers has them.
COMMON = 0.15
# What is kept for other readers, and then begun anew: texts with their words, pairs of a text and a
# paper, spellings in papers. 20 MB each, however many readers there are.
KEPT_TEXTS, KEPT_PAIRS, KEPT_SPELLINGS = 2_000, 100_000, 200_000
_SAID = {
    "seed_paper": N_("which you named"),
    "relevant": N_("which you liked"),
    "saved": N_("which you saved"),
    "clicked": N_("which you opened"),
}
_WHICH = {KINDS.index(kind): said for kind, said in _SAID.items()}
_NAMED_BY_GROUP = N_("which your group named")
_QUOTED = {KINDS.index(kind) for kind in ("keyword", "text")}
_MENTIONS = {
    1: N_("Mentions {words}, one of your keywords."),
    2: N_("Mentions {words}, two of your keywords."),
    3: N_("Mentions {words}, three of your keywords."),
}


class Why(NamedTuple):
    """Why a paper is there, a reason a line; ``bars`` has a line for each."""

    explanation: str
    bars: str = ""


class _Line(NamedTuple):
    text: str
    bar: str = ""
    is_vague: bool = False  # it says no more than that the paper is close


class _Stated(NamedTuple):
    value: str
    kind: str


class _Told(NamedTuple):
    """What a topic's reader told: keywords, longer texts, and whether they follow anything."""

    keywords: tuple[_Stated, ...]
    sentences: tuple[_Stated, ...]
    follows: bool
    kinds: list[int]
    rows: list[int]


def _told(topic: TopicProfile) -> _Told:
    evidence = topic.evidence
    several: tuple[list[_Stated], list[_Stated]] = ([], [])
    kinds: list[int] = []
    rows: list[int] = []
    if evidence is not None:
        kinds, rows = evidence.kinds.tolist(), evidence.rows.tolist()
        for kind, row in zip(kinds, rows, strict=True):
            if kind in _QUOTED:
                value = str(evidence.pool.keys[row])
                several[not is_keyword(kind, value)].append(_Stated(value, KINDS[kind]))
    follows = bool(topic.followed_authors or topic.followed_categories)
    return _Told(tuple(several[0]), tuple(several[1]), follows, kinds, rows)


@dataclass
class Reasons:
    """Makes the reasons for one set of candidates; what readers have in common is kept."""

    products: attribution.ProductCache
    found: scoring.Matches
    _stems: dict[int, dict[str, str]] = field(default_factory=dict)  # of candidates: as spelled
    _liked: dict[int | str, frozenset[str]] = field(default_factory=dict)
    _shared: dict[tuple[int | str, int, str], str] = field(default_factory=dict)
    _spelled: list[dict[str, str]] = field(default_factory=list)  # by candidate and interest
    _number_spelled: int = 0
    _folded: list[list[tuple[str, str]]] = field(default_factory=list)  # categories, as written

    def __post_init__(self) -> None:
        self.candidates: Candidates = self.products.candidates
        self._spelled = [{} for _ in range(len(self.candidates))]
        self._folded = [
            [(name.casefold(), name) for name in names] for names in self.candidates.categories
        ]

    def of(
        self,
        topics: Sequence[TopicProfile],
        homes: NDArray[np.int64],
        papers: NDArray[np.int64],
        outside: NDArray[np.bool_],
        languages: Sequence[str],
    ) -> list[Why]:
        """The reasons of each pick, which is a paper in the topic at its place of ``homes``.

        Or ``outside`` of all, and nearest to that one. ``languages`` are those of the topics.
        """
        told = {home: _told(topics[home]) for home in np.unique(homes).tolist()}
        strongest = attribution.strongest(topics, self.products, homes, papers)
        whys = []
        spoken = language.current()
        with language.speaking(spoken):
            for home, paper, liked, nearest, is_outside in zip(
                homes.tolist(),
                papers.tolist(),
                strongest.liked.tolist(),
                strongest.nearest.tolist(),
                outside.tolist(),
                strict=True,
            ):
                if languages[home] != spoken:
                    spoken = languages[home]
                    language.use(spoken)
                lines = self._lines(topics[home], told[home], paper, liked, nearest)
                whys.append(_joined(_outside(topics[home], lines) if is_outside else lines))
        return whys

    def _lines(
        self, topic: TopicProfile, told: _Told, paper: int, liked: int, nearest: int
    ) -> list[_Line]:
        mentions = self._mentions(topic, told, paper)
        if not mentions:
            liked = nearest
        lines = [mentions] if mentions else []
        if self.found.citing and (cites := self._cites(topic, told, paper)):
            lines.append(cites)
            liked = -1
        if liked >= 0 and (resembles := self._resembles(topic, told, paper, liked)):
            lines.append(resembles)
        if len(lines) < MOST and told.follows:
            lines += self._follows(topic, paper, MOST - len(lines))
        if not lines:
            close = _("Close in meaning to your topic {topic}.", topic=_name(topic))
            lines = [_Line(close, is_vague=True)]
        return lines

    def _mentions(self, topic: TopicProfile, told: _Told, paper: int) -> _Line | None:
        """The stated interests that stand in the paper; the bar is the first one's."""
        known = self._spelled[paper]
        named: dict[str, _Stated] = {}
        for stated in told.keywords:
            found = known.get(stated.value)
            if found is None:
                found = self._spelling(stated.value, paper)
            if found:
                named.setdefault(found, stated)
        if named:
            some = tuple(named)[:MOST_NAMED]
            return _Line(_mention(some, language.current()), _bar_of(topic, named[some[0]]))
        for stated in told.sentences:
            if shared := self._words_of(stated.value, stated.value, paper):
                said = _(
                    "Shares {words} with your topic {topic}.", words=shared, topic=_name(topic)
                )
                return _Line(said, _bar_of(topic, stated))
        return None

    def _spelling(self, value: str, paper: int) -> str:
        """How ``value`` is written where it stands in the paper; "" where it does not."""
        title, abstract = self.candidates.titles[paper], self.candidates.abstracts[paper]
        there = self.found.holds(value, paper)
        found = short(spelled(title, value) or spelled(abstract, value)) if there else ""
        if self._number_spelled >= KEPT_SPELLINGS:
            self._number_spelled = 0
            for known in self._spelled:
                known.clear()
        self._number_spelled += 1
        self._spelled[paper][value] = found
        return found

    def _resembles(self, topic: TopicProfile, told: _Told, paper: int, liked: int) -> _Line | None:
        evidence = topic.evidence
        if evidence is None:
            return None
        which, row = _which(topic, told.kinds[liked]), told.rows[liked]
        title = language.quoted(evidence.labels[liked])
        text = evidence.pool.texts[row] if evidence.pool.texts else evidence.labels[liked]
        shared = self._words_of(evidence.pool.keys[row], text, paper)
        where = _bar_of_paper(topic, told, liked)
        if not shared:
            close = _("Close to {title}, {which}.", title=title, which=which)
            return _Line(close, where, is_vague=True)
        said = _(
            "Like {title}, {which}: both mention {words}.", title=title, which=which, words=shared
        )
        return _Line(said, where)

    def _cites(self, topic: TopicProfile, told: _Told, paper: int) -> _Line | None:
        """The paper of the reader's that this one cites."""
        index = self.found.cited_by(topic).get(paper)
        if index is None or topic.evidence is None:
            return None
        title = language.quoted(topic.evidence.labels[index])
        said = _("Cites {title}, {which}.", title=title, which=_which(topic, told.kinds[index]))
        return _Line(said, _bar_of_paper(topic, told, index))

    def _words_of(self, key: int | str, text: str, paper: int) -> str:
        """Words that ``text`` (known by ``key``) and a paper have: of its title, then rare ones."""
        spoken = language.current()
        said = self._shared.get((key, paper, spoken))
        if said is None:
            if key not in self._liked:
                if len(self._liked) >= KEPT_TEXTS:
                    self._liked.clear()
                words = (word for word, _, _ in tokens(text) if _says_something(word))
                self._liked[key] = frozenset(stem(word) for word in words)
            there = self._words_in(paper)
            both = self._liked[key] & there.keys()
            title = {stem(word) for word in phrase_of(self.candidates.titles[paper])}
            count = self.candidates.vocabulary.count
            best = sorted(both, key=lambda each: (each not in title, count(each), each))[:SHARED]
            said = _listed([there[each] for each in best] if len(best) == SHARED else [])
            if len(self._shared) >= KEPT_PAIRS:
                self._shared.clear()
            self._shared[key, paper, spoken] = said
        return said

    def _words_in(self, paper: int) -> dict[str, str]:
        """The candidate's words that say something, by stem."""
        if paper not in self._stems:
            text = f"{self.candidates.titles[paper]}\n{self.candidates.abstracts[paper]}"
            most = max(3, COMMON * len(self.candidates))
            found: dict[str, str] = {}
            for word, start, end in tokens(text):
                if _says_something(word) and self.candidates.vocabulary.count(stem(word)) <= most:
                    found.setdefault(stem(word), text[start:end])
            self._stems[paper] = found
        return self._stems[paper]

    def _follows(self, topic: TopicProfile, paper: int, most: int) -> list[_Line]:
        """The author and the first category that are followed; ``most`` is one or two lines."""
        lines = []
        if topic.followed_authors and (known := scoring.author_on(topic, self.found, paper)):
            followed, named = known
            lines = [_Line(_by(followed, named), _bar_of(topic, _Stated(followed, "author")))]
        if topic.followed_categories and len(lines) < most:
            for folded, name in self._folded[paper]:
                if folded in topic.followed_categories:
                    said = _in_category(name, language.current())
                    return [*lines, _Line(said, bar("category", folded, topic.topic_id))]
        return lines


def _which(topic: TopicProfile, kind: int) -> str:
    # In a group nothing that a member rated counts: only example papers are named.
    return gettext(_NAMED_BY_GROUP if topic.is_shared else _WHICH[kind])


# Of a day's picks most say what many others say: a third of the time of all reasons.
@lru_cache(maxsize=20_000)
def _mention(words: tuple[str, ...], _language: str) -> str:
    """That keywords stand in a paper, in the language that is on and named for the cache."""
    return _(_MENTIONS[len(words)], words=_listed(words))


@lru_cache(maxsize=2_000)
def _in_category(name: str, _language: str) -> str:
    return _("In {category}, a category you follow.", category=short(name))


def _joined(lines: Sequence[_Line]) -> Why:
    if len(lines) == 1:
        return Why(lines[0].text, lines[0].bar)
    if len(lines) == MOST:
        first, second = lines
        return Why(f"{first.text}\n{second.text}", f"{first.bar}\n{second.bar}")
    return Why("\n".join(line.text for line in lines), "\n".join(line.bar for line in lines))


def _bar_of(topic: TopicProfile, stated: _Stated) -> str:
    # Authors and categories are followed however they are spelled.
    key = stated.value.casefold() if stated.kind in {"author", "category"} else stated.value
    return bar(stated.kind, key, topic.topic_id)


def _bar_of_paper(topic: TopicProfile, told: _Told, place: int) -> str:
    """The bar of a paper that was named or rated; what was only opened has none."""
    kind = KINDS[told.kinds[place]]
    if topic.evidence is None or kind == "clicked":
        return ""
    return bar(kind, topic.evidence.pool.keys[told.rows[place]], topic.topic_id)


def _by(followed: str, named: scoring.Named) -> str:
    name = short(named.name)
    if named.fit is Fit.SURE:
        return _("By {name}, whom you follow.", name=name)
    if name.casefold() == followed.casefold():
        return _("Possibly by {name}, whom you follow; several people have that name.", name=name)
    return _(
        "Possibly by {followed}, whom you follow: the paper names {name}.",
        followed=short(followed),
        name=name,
    )


def _outside(topic: TopicProfile, lines: Sequence[_Line]) -> list[_Line]:
    """The reason of a pick from just outside a topic: which one it is nearest to, and why."""
    nearest = _Line(_("Just outside your topics; nearest to {topic}.", topic=_name(topic)))
    return [nearest] if lines[0].is_vague else [nearest, lines[0]]


def _name(topic: TopicProfile) -> str:
    return language.quoted(short(topic.name))


def _says_something(word: str) -> bool:
    return len(word) >= SHORTEST_SHARED and word not in ENGLISH_STOP_WORDS and not word.isdigit()


def _listed(words: Sequence[str]) -> str:
    """``“a”``, ``“a” and “b”``, ``“a”, “b” and “c”``."""
    return language.listed([language.quoted(word) for word in words])
