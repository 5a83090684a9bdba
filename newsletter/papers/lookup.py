"""A paper by whatever somebody has of it: our number, an arXiv id, a DOI, an address, a title."""

import re
from collections.abc import Iterator
from urllib.parse import urlsplit

from rapidfuzz import fuzz
from sqlmodel import Session, col, select

from newsletter.core.identifiers import canonical_doi, pubmed_name, split_arxiv_id
from newsletter.core.models import Paper, PaperAlias
from newsletter.core.text import clean
from newsletter.papers import identity
from newsletter.papers.search import addresses, search

# Nothing longer is looked at; titles and addresses end long before.
LONGEST = 1_000
# How much of a typed title must agree with the paper's, in percent: a typing error or two, not
# another paper of the same series.
ALIKE = 92
# Of so many papers at most it is told that their titles hold the part that was typed.
MOST_NAMED = 50
# A part that ends within a word has to be as long as this; "art" is in too many words.
SHORTEST_CUT = 8
# Thai, and after it Japanese, Chinese and Korean, say as much in two signs.
_FIRST_UNSPACED = "\u0e00"
_WORD = re.compile(r"[^\W_]+(?:['\u2019][^\W_]+)*")
# Digits, and the Roman numerals of a series.
_NUMBER = re.compile(r"\d+|\b[IVX]+\b")
_TAIL = re.compile(r"\s*\[[\w.\-, ]{1,60}\]\s*$")  # "arXiv:2503.11731v2 [cs.CL]"
_OURS = re.compile(r"/paper/(\d{1,9})/?$")
_LARGEST_ID = 2**31


def find_papers(session: Session, asked: str) -> list[Paper]:
    """The paper that ``asked`` names; none, or several where it is part of several titles.

    Our own number comes first, then ids of sources, then the address, then the title: whole, a
    part of it, one with a typing error, or words of it. Of several the newest come first, at
    most `MOST_NAMED`.
    """
    asked = " ".join(asked[:LONGEST].replace("\x00", " ").split())
    if not asked:
        return []
    found = _by_number(session, asked)
    for names in _names(asked):
        found = found or _by_alias(session, names)
    found = found or _by_address(session, asked)
    return [found] if found else _by_title(session, clean(asked))[:MOST_NAMED]


def _by_number(session: Session, asked: str) -> Paper | None:
    is_number = asked.isascii() and asked.isdigit() and int(asked) < _LARGEST_ID
    return session.get(Paper, int(asked)) if is_number else None


def _names(asked: str) -> Iterator[list[tuple[str, str]]]:
    """Names that can belong to one paper only: (source or "", id)."""
    bare = _TAIL.sub("", asked)
    arxiv, _ = split_arxiv_id(bare)
    if arxiv is None and "://" in bare:
        arxiv, _ = split_arxiv_id(bare.split("?")[0].split("#")[0])
    if arxiv:
        yield [(identity.ARXIV, arxiv), ("", arxiv)]
    doi = canonical_doi(bare) or canonical_doi(bare.split("?")[0].split("#")[0])
    if doi is None and (inside := re.search(r"\b10\.\d{4,9}/[^\s?#]+", bare)):
        doi = canonical_doi(inside[0])
    if doi:
        yield [(identity.DOI, doi)]
        if (registered := split_arxiv_id(doi.removeprefix("10.48550/arxiv.")))[0]:
            yield [(identity.ARXIV, registered[0])]
    if not bare.isdigit() and (numbered := pubmed_name(bare)):
        yield [("pubmed", numbered.removeprefix("pmid:"))]
    yield [("", bare)]


def _by_alias(session: Session, names: list[tuple[str, str]]) -> Paper | None:
    for source, name in names:
        query = select(Paper).join(PaperAlias, col(PaperAlias.paper_id) == col(Paper.id))
        query = query.where(PaperAlias.external_id == name, PaperAlias.source != identity.TITLE)
        if source:
            query = query.where(PaperAlias.source == source)
        paper = session.exec(query.order_by(col(Paper.id).desc()).limit(1)).first()
        if paper is not None:
            return paper
    return None


def _by_address(session: Session, asked: str) -> Paper | None:
    """By a link as a source gave it, however http, www and a final slash stand; or by our page."""
    forms = addresses(asked)
    if not forms:
        return None
    if ours := _OURS.search(urlsplit(asked).path if _splits(asked) else asked):
        return session.get(Paper, int(ours[1])) if int(ours[1]) < _LARGEST_ID else None
    query = select(Paper).where(col(Paper.url).in_(forms)).order_by(col(Paper.id).desc())
    return session.exec(query.limit(1)).first()


def _splits(address: str) -> bool:
    try:
        urlsplit(address)
    except ValueError:
        return False
    return True


def _by_title(session: Session, asked: str) -> list[Paper]:
    """Papers with this title, or this part of it, or nearly this title, the likeliest kind alone.

    Papers of one title are told apart by nobody: of these, the newest.
    """
    wanted = identity.folded(asked)
    if not wanted:
        return []
    words = _words_of(asked)
    contained = col(Paper.title).icontains(asked, autoescape=True)
    query = select(Paper).where(contained).order_by(col(Paper.id).desc()).limit(MOST_NAMED)
    several = [
        *session.exec(query),
        *search(session, " ".join(words), limit=MOST_NAMED),
        *search(session, " ".join(words), any_word=True, limit=20),
    ]
    found = {paper.id or 0: paper for paper in several}
    papers = [found[number] for number in sorted(found, reverse=True)]
    same = [paper for paper in papers if identity.folded(paper.title) == wanted]
    if same or asked.isdigit():  # a number is a paper's own, or all of a title
        return same[:1]
    return (
        [paper for paper in papers if _stand_together(words, _words_of(paper.title))]
        or [paper for paper in papers if _is_cut(wanted, identity.folded(paper.title))]
        or _misspelt(papers, asked)
        or [paper for paper in papers if set(words) <= set(_words_of(paper.title))]
    )


def _words_of(title: str) -> list[str]:
    return [word for part in _WORD.findall(title) if (word := identity.folded(part))]


def _stand_together(part: list[str], whole: list[str]) -> bool:
    """Whether the words of ``part`` stand one after the other in ``whole``."""
    return f" {' '.join(part)} " in f" {' '.join(whole)} "


def _is_cut(part: str, whole: str) -> bool:
    """Whether a part ends within a word, as titles do that were cut or have no spaces."""
    fewest = SHORTEST_CUT if min(part) < _FIRST_UNSPACED else 2
    return len(part) >= fewest and part in whole


def _misspelt(papers: list[Paper], asked: str) -> list[Paper]:
    """The papers most like a title with typing errors; other numbers are other papers."""
    wanted, numbers = identity.folded(asked), _NUMBER.findall(asked)
    near = [
        (fuzz.ratio(identity.folded(paper.title), wanted), paper)
        for paper in papers
        if _NUMBER.findall(paper.title) == numbers
    ]
    best = max((ratio for ratio, _ in near), default=0.0)
    return [paper for ratio, paper in near if ratio == best >= ALIKE]
