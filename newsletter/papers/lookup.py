"""One paper by whatever somebody has of it: our number, an arXiv id, a DOI, an address, a title."""

import re
from collections.abc import Iterator
from urllib.parse import urlsplit

from rapidfuzz import fuzz
from sqlmodel import Session, col, select

from newsletter.core.identifiers import canonical_doi, split_arxiv_id
from newsletter.core.models import Paper, PaperAlias
from newsletter.core.text import clean
from newsletter.papers import identity
from newsletter.papers.search import addresses, search

# Nothing longer is looked at; titles and addresses end long before.
LONGEST = 1_000
# How much of a typed title must agree with the paper's, in percent: a typing error or two, not
# another paper of the same series.
ALIKE = 92
_TAIL = re.compile(r"\s*\[[\w.\-, ]{1,60}\]\s*$")  # "arXiv:2503.11731v2 [cs.CL]"
_OURS = re.compile(r"/paper/(\d{1,9})/?$")
_LARGEST_ID = 2**31


def find_paper(session: Session, asked: str) -> Paper | None:
    """The paper that ``asked`` names, or None.

    Our own number comes first, then ids of sources, then the address, then the title, where one
    with a typing error still finds it.
    """
    asked = " ".join(asked[:LONGEST].replace("\x00", " ").split())
    if not asked:
        return None
    if asked.isascii() and asked.isdigit() and int(asked) < _LARGEST_ID:
        paper = session.get(Paper, int(asked))
        if paper is not None:
            return paper
    for names in _names(asked):
        found = _by_alias(session, names)
        if found is not None:
            return found
    return _by_address(session, asked) or _by_title(session, clean(asked))


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


def _by_title(session: Session, asked: str) -> Paper | None:
    """The paper with this title, the newest of several; else the one most like it, if any is."""
    wanted = identity.folded(asked)
    if not wanted:
        return None
    found = [*search(session, asked, limit=20), *search(session, asked, any_word=True, limit=20)]
    same = [paper for paper in found if identity.folded(paper.title) == wanted]
    if same:
        return max(same, key=lambda paper: paper.id or 0)
    near = [(fuzz.ratio(identity.folded(paper.title), wanted), paper.id or 0) for paper in found]
    best, number = max(near, default=(0, 0))
    return session.get(Paper, number) if best >= ALIKE else None
