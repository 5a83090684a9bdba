"""When two sightings are one paper (pure).

Canonical arXiv id first, then DOI, then the source's own id, then the normalised title with
the first author. The keys live in ``paper_alias`` under the pseudo-sources ``arxiv``, ``doi``
and ``title`` beside the sources' own ids.
"""

import re
import unicodedata
from collections.abc import Iterable
from hashlib import blake2b

from newsletter.core.author_names import is_suffix
from newsletter.core.identifiers import without_version
from newsletter.sources import PaperRecord

Key = tuple[str, str]

ARXIV, DOI, TITLE = "arxiv", "doi", "title"
# A DOI read out of a web address: it finds a paper, and never says that two are different.
GUESSED_DOI = "doi-guess"
# "Editorial", "Reply to the comment", "Introduction": many papers share a short title.
SHORTEST_TITLE = 20
FEWEST_WORDS = 4
# Every issue has one under the same title, by the same editors.
_GENERIC = re.compile(
    r"(?:(?:guest )?editorial|preface|foreword|erratum|corrigend(?:um|a)|retraction|"
    r"(?:author |publisher )?correction|expression of concern|withdrawn|in memoriam|obituary|"
    r"book reviews?|letters? to the editors?|message from|welcome (?:message|from|to)|"
    r"table of contents|front ?matter|back ?matter|issue information|(?:front |back )?cover|"
    r"masthead|editorial board|list of (?:reviewers|contributors)|acknowledge?ments? to|"
    r"introduction to the|proceedings of|report of the|minutes of)\b",
    re.IGNORECASE,
)
# Services that list one paper under several of their own ids (preprint and article, or one
# submission after another). Everywhere else a second id is a second paper.
_UNITES_ITS_OWN = frozenset({"crossref", "openalex", "openreview", "pubmed", "semantic-scholar"})


def strong_keys(record: PaperRecord) -> list[Key]:
    """Names that can belong to one paper only, the surest first."""
    keys = [(ARXIV, record.arxiv_id)] if record.arxiv_id else []
    keys += [(DOI, doi) for doi in stated_dois(record)]
    if record.doi and record.doi_is_guessed:
        keys.append((GUESSED_DOI, record.doi))
    keys.append((record.source, record.external_id))
    return list(dict.fromkeys(keys))


def matching_keys(record: PaperRecord) -> list[Key]:
    """The same, with each DOI of the other kind too: one source states what another has guessed."""
    keys = strong_keys(record)
    other = {DOI: GUESSED_DOI, GUESSED_DOI: DOI}
    return [*keys, *((other[kind], name) for kind, name in keys if kind in other)]


def stated_dois(record: PaperRecord) -> list[str]:
    """The DOIs of the paper, as its source states them, without the versions of preprints."""
    own = [] if record.doi is None or record.doi_is_guessed else [record.doi]
    return [without_version(doi) for doi in (*own, *record.related_dois)]


def is_another(record: PaperRecord, title: str, url: str) -> bool:
    """Whether a feed uses a known id again, for a paper with another link and another title."""
    if not record.source.startswith("feed") or not url or record.url in {"", url}:
        return False
    return folded(record.title) != folded(title)


def title_keys(record: PaperRecord) -> list[Key]:
    """Title with first author, then the bare title, which counts where one side has no authors.

    Empty for a title too short, or too usual, to tell papers apart.
    """
    short = len(record.title) < SHORTEST_TITLE or record.title.count(" ") < FEWEST_WORDS - 1
    if short or _GENERIC.match(record.title):
        return []
    title = folded(record.title)
    bare = (TITLE, _digest(title))
    if not record.authors:
        return [bare]
    return [(TITLE, _digest(f"{title}|{family_name(record.authors[0])}")), bare]


def folded(text: str) -> str:
    """Letters and digits only, without case or accents."""
    if not text.isascii():
        text = unicodedata.normalize("NFKD", text)
        text = "".join(c for c in text if not unicodedata.combining(c))
    return re.sub(r"[\W_]+", "", text.casefold())


def family_name(author: str) -> str:
    """The last part of "Ana María López", or what stands before the comma in "López, A."."""
    name = author.split(",", maxsplit=1)[0].split()
    if len(name) > 1 and is_suffix(name[-1]):
        name.pop()
    return folded(name[-1]) if name else ""


def _digest(text: str) -> str:
    return blake2b(text.encode(), digest_size=16).hexdigest()


def contradict(record: PaperRecord, aliases: Iterable[Key]) -> bool:
    """Whether a paper with these names cannot be ``record``, though something else agrees.

    Another arXiv id is another paper; so is another DOI of the same registrant, and another id
    in the same source. A DOI of another registrant is the published version.
    """
    own_dois = set(stated_dois(record))
    registrants = {doi.split("/")[0] for doi in own_dois}
    for source, name in aliases:
        if source == ARXIV and record.arxiv_id not in {None, name}:
            return True
        if source == DOI and name.split("/")[0] in registrants and name not in own_dois:
            return True
        if source == record.source and source not in _UNITES_ITS_OWN and name != record.external_id:
            return True
    return False
