"""Why a paper is in a digest, in sentences that are true of this paper. Pure.

In order of strength: the phrase of an interest that stands in the paper, as it is written there;
the liked paper that it resembles, and rare words that both have; the author or category that is
followed. Two are said at most, each as a line of its own, so that what a section's papers have
in common can be said once. Each line comes with the bar of what it names (see `explanations.bar`),
"" where the reader was not asked about it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import pairwise
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
from newsletter.ranking.match_features import MENTIONED, Words, is_keyword
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
_TEXT = KINDS.index("text")
_QUOTED = {KINDS.index("keyword"), _TEXT}
_CLOSE = N_("Close to {title}, {which}.")
_LIKE = N_("Like {title}, {which}: both mention {words}.")
_CITES = N_("Cites {title}, {which}.")
_TITLE, _WORDS = "\0", "\1"  # stand in no text
_MENTIONS = {
    1: N_("Mentions {words}, one of your keywords."),
    2: N_("Mentions {words}, two of your keywords."),
    3: N_("Mentions {words}, three of your keywords."),
}


class _Line(NamedTuple):
    text: str
    bar: str = ""
    is_vague: bool = False  # it says no more than that the paper is close


_Stated = tuple[str, str]  # kind and value of an interest


class _Told(NamedTuple):
    """A topic, the language of its reader, and what they told: keywords and longer texts."""

    topic: TopicProfile
    spoken: str
    keywords: tuple[_Stated, ...]
    sentences: tuple[_Stated, ...]
    follows: bool
    kinds: list[int]
    rows: list[int]


def _told(topic: TopicProfile, spoken: str) -> _Told:
    evidence, kinds, rows = topic.evidence, list[int](), list[int]()
    stated: list[_Stated] = []
    if evidence is not None:
        kinds, rows, keys = evidence.kinds.tolist(), evidence.rows.tolist(), evidence.pool.keys
        stated = [
            (KINDS[kind], str(keys[row]))
            for kind, row in zip(kinds, rows, strict=True)
            if kind in _QUOTED
        ]
    follows = bool(topic.followed_authors or topic.followed_categories)
    keywords = tuple([each for each in stated if _is_keyword(*each)])
    sentences = tuple([each for each in stated if not _is_keyword(*each)])
    return _Told(topic, spoken, keywords, sentences, follows, kinds, rows)


@dataclass
class Reasons:
    """Makes the reasons for one set of candidates; what readers have in common is kept."""

    products: attribution.ProductCache
    found: scoring.Matches
    words: Words
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
    ) -> tuple[list[str], list[str]]:
        """The reasons of each pick, which is a paper in the topic at its place of ``homes``.

        Or ``outside`` of all, and nearest to that one. ``languages`` are those of the topics. In
        the second list, whose texts have as many lines, are the bars.
        """
        told = {home: _told(topics[home], languages[home]) for home in np.unique(homes).tolist()}
        strongest = attribution.strongest(topics, self.products, homes, papers)
        explanations, bars = list[str](), list[str]()
        spoken = language.current()
        with language.speaking(spoken):
            for home, paper, named, liked, nearest, is_outside in zip(
                homes.tolist(),
                papers.tolist(),
                self._named(told, homes, papers),
                strongest.liked.tolist(),
                strongest.nearest.tolist(),
                outside.tolist(),
                strict=True,
            ):
                if languages[home] != spoken:
                    spoken = languages[home]
                    language.use(spoken)
                lines = self._lines(told[home], paper, named, liked, nearest)
                if is_outside:
                    lines = _outside(topics[home], lines)
                if len(lines) == 1:
                    explanations.append(lines[0].text)
                    bars.append(lines[0].bar)
                else:
                    explanations.append("\n".join([line.text for line in lines]))
                    bars.append("\n".join([line.bar for line in lines]))
        return explanations, bars

    def _named(
        self, told: Mapping[int, _Told], homes: NDArray[np.int64], papers: NDArray[np.int64]
    ) -> list[Sequence[int]]:
        """For each pick the places of the topic's keywords that stand in the paper."""
        if not told:
            return []
        values = [[value for _kind, value in one.keywords] for one in told.values()]
        rows = np.zeros((len(values), max(map(len, values), default=0)), np.int64)
        flat = self.words.rows([value for several in values for value in several])
        rows[np.arange(rows.shape[1]) < np.array([[len(each)] for each in values])] = flat
        mine = rows[np.searchsorted(list(told), homes)]
        picks, places = np.nonzero(self.words.found[mine, papers[:, None], MENTIONED])
        edges = np.searchsorted(picks, np.arange(len(homes) + 1)).tolist()
        listed = places.tolist()
        return [listed[start:end] for start, end in pairwise(edges)]

    def _lines(
        self, told: _Told, paper: int, named: Sequence[int], liked: int, nearest: int
    ) -> list[_Line]:
        """The lines for a paper; ``named`` are places among the keywords.

        ``liked`` is the piece of evidence worth naming, ``nearest`` the one that gave most, or -1.
        """
        mentions = self._mentions(told, paper, named) if named or told.sentences else None
        if not mentions:
            liked = nearest
        lines = [mentions] if mentions else []
        if self.found.citing and (cites := self._cites(told, paper)):
            lines.append(cites)
            liked = -1
        if liked >= 0 and (resembles := self._resembles(told, paper, liked)):
            lines.append(resembles)
        if told.follows and len(lines) < MOST:
            lines += self._follows(told, paper, MOST - len(lines))
        if not lines:
            close = _("Close in meaning to your topic {topic}.", topic=_name(told.topic))
            lines = [_Line(close, is_vague=True)]
        return lines

    def _mentions(self, told: _Told, paper: int, named: Sequence[int]) -> _Line | None:
        """The stated interests that stand in the paper; the bar is the first one's."""
        topic, known = told.topic, self._spelled[paper]
        there: dict[str, _Stated] = {}
        for place in named:
            value = told.keywords[place][1]
            found = known.get(value)
            if found is None:
                found = self._spelling(value, paper)
            if found:
                there.setdefault(found, told.keywords[place])
        if there:
            some = tuple(there)[:MOST_NAMED]
            return _Line(_mention(some, told.spoken), bar(*there[some[0]], topic.topic_id))
        for kind, value in told.sentences:
            if shared := self._words_of(value, value, paper, told.spoken):
                said = _(
                    "Shares {words} with your topic {topic}.", words=shared, topic=_name(topic)
                )
                return _Line(said, bar(kind, value, topic.topic_id))
        return None

    def _spelling(self, value: str, paper: int) -> str:
        """How ``value`` is written where it stands in the paper."""
        title, abstract = self.candidates.titles[paper], self.candidates.abstracts[paper]
        found = short(spelled(title, value) or spelled(abstract, value))
        if self._number_spelled >= KEPT_SPELLINGS:
            self._number_spelled = 0
            for known in self._spelled:
                known.clear()
        self._number_spelled += 1
        self._spelled[paper][value] = found
        return found

    def _resembles(self, told: _Told, paper: int, liked: int) -> _Line | None:
        evidence = told.topic.evidence
        if evidence is None:
            return None
        row, label, pool = told.rows[liked], evidence.labels[liked], evidence.pool
        text = pool.texts[row] if pool.texts else label
        words = self._words_of(pool.keys[row], text, paper, told.spoken)
        form = _about_paper(_LIKE if words else _CLOSE, _which(told, liked), told.spoken)
        said = form.replace(_WORDS, words).replace(_TITLE, label)
        return _Line(said, _bar_of_paper(told, liked), not words)

    def _cites(self, told: _Told, paper: int) -> _Line | None:
        """The paper of the reader's that this one cites."""
        index = self.found.cited_by(told.topic).get(paper)
        if index is None or told.topic.evidence is None:
            return None
        form = _about_paper(_CITES, _which(told, index), told.spoken)
        said = form.replace(_TITLE, told.topic.evidence.labels[index])
        return _Line(said, _bar_of_paper(told, index))

    def _words_of(self, key: int | str, text: str, paper: int, spoken: str) -> str:
        """Words that ``text`` (known by ``key``) and a paper have: of its title, then rare ones.

        As the language lists them that is on, which is ``spoken``.
        """
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

    def _follows(self, told: _Told, paper: int, most: int) -> list[_Line]:
        """The author and the first category that are followed; ``most`` is one or two lines."""
        topic, lines = told.topic, list[_Line]()
        if topic.followed_authors and (known := scoring.author_on(topic, self.found, paper)):
            followed, named = known
            # However it is spelled.
            where = bar("author", followed.casefold(), topic.topic_id)
            lines = [_Line(_by(followed, named), where)]
        if topic.followed_categories and len(lines) < most:
            for folded, name in self._folded[paper]:
                if folded in topic.followed_categories:
                    said = _in_category(name, told.spoken)
                    return [*lines, _Line(said, bar("category", folded, topic.topic_id))]
        return lines


def _which(told: _Told, place: int) -> str:
    # In a group nothing that a member rated counts: only example papers are named.
    return _NAMED_BY_GROUP if told.topic.is_shared else _WHICH[told.kinds[place]]


# Filled in for each of a hundred thousand picks: `_` takes three times as long.
@lru_cache(maxsize=1_000)
def _about_paper(message: str, which: str, _language: str) -> str:
    """What is said of a paper that the reader knows, with marks where title and words belong."""
    return _(message, title=language.quoted(_TITLE), which=gettext(which), words=_WORDS)


# Of a day's picks most say what many others say: a third of the time of all reasons.
@lru_cache(maxsize=20_000)
def _mention(words: tuple[str, ...], _language: str) -> str:
    """That keywords stand in a paper, in the language that is on and named for the cache."""
    return _(_MENTIONS[len(words)], words=_listed(words))


@lru_cache(maxsize=2_000)
def _in_category(name: str, _language: str) -> str:
    return _("In {category}, a category you follow.", category=short(name))


def _is_keyword(kind: str, value: str) -> bool:
    return kind == "keyword" or is_keyword(_TEXT, value)


def _bar_of_paper(told: _Told, place: int) -> str:
    """The bar of a paper that was named or rated; what was only opened has none."""
    kind, topic = KINDS[told.kinds[place]], told.topic
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
