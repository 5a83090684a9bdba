"""Papers as BibTeX.

The library lays the entries out. Values are escaped here: the library would write ``}`` as
``\\}``, which still closes a field where a reader counts braces.
"""

from collections.abc import Iterable

from bibtexparser.entrypoint import write_string
from bibtexparser.library import Library
from bibtexparser.model import Entry, Field

from newsletter.core.identifiers import split_arxiv_id
from newsletter.core.models import Paper

_TEX = {
    "\\": r"\textbackslash{}",
    "{": r"\{",
    "}": r"\}",
    "%": r"\%",
    "#": r"\#",
    "&": r"\&",
    "$": r"\$",
    "_": r"\_",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
}


def as_bibtex(papers: Iterable[Paper]) -> str:
    """One entry per paper."""
    return str(write_string(Library([_entry(paper) for paper in papers])))


def _entry(paper: Paper) -> Entry:
    values = {
        "title": f"{{{_escaped(paper.title)}}}",
        "author": " and ".join(_escaped(author) for author in paper.authors),
        "year": str(paper.published_at.year) if paper.published_at else "",
        "doi": paper.doi or "",
        "url": paper.url,
    }
    if split_arxiv_id(paper.external_id)[0]:
        values |= {"eprint": paper.external_id, "archiveprefix": "arXiv"}
    fields = [Field(name, _balanced(value)) for name, value in values.items() if value]
    return Entry("misc", f"paper{paper.id}", fields)


def _escaped(text: str) -> str:
    """Characters that mean something to TeX, so that they mean themselves."""
    return "".join(_TEX.get(character, character) for character in text)


def _balanced(value: str) -> str:
    """A value cannot close its field and open another."""
    depth = 0
    for character in value:
        depth += (character == "{") - (character == "}")
        if depth < 0:
            break
    return value if depth == 0 else value.replace("{", "").replace("}", "")
