"""Uploaded bibliographies: BibTeX and RIS to papers one likes. Pure.

Reference managers write both in their own ways; an entry that cannot be read is left out, and
only a file without a single readable entry is refused.
"""

import logging
import re
from dataclasses import dataclass

import rispy
from bibtexparser.entrypoint import parse_string

from newsletter.core.errors import InputError
from newsletter.core.identifiers import ARXIV_ID, DOI
from newsletter.core.text import clean
from newsletter.subscribers.validation import paper_identity

# A few hundred entries say what somebody works on; the newest ones stand last in most files.
MOST_ENTRIES = 150
_RIS_START = re.compile(r"^[ \t]*TY  - ", re.MULTILINE)
# Where reference managers put an arXiv id or a DOI.
_ID_FIELDS = (
    "doi",
    "eprint",
    "arxivid",
    "url",
    "urls",
    "note",
    "number",
    "journal",
    "secondary_title",
)
_ID_IN_TEXT = re.compile(
    rf"({DOI}[^\s,;\"{{}}]+|(?:arxiv[:./ ]\s*(?:abs/|pdf/)?|arxiv\.org/(?:abs|pdf)/){ARXIV_ID})",
    re.IGNORECASE,
)

# The parser logs every odd entry, with its text: that is somebody's library, not our log's.
logging.getLogger("bibtexparser").setLevel(logging.CRITICAL)


@dataclass(frozen=True, slots=True)
class Reference:
    """One entry: its arXiv id or DOI where it has one, and its title."""

    identity: str | None
    title: str


def read_bibliography(data: bytes) -> list[Reference]:
    """The entries of a BibTeX or RIS file, at most `MOST_ENTRIES`, the last ones.

    Raises:
        InputError: nothing in it can be read as either.
    """
    text = data.decode("utf-8-sig", errors="replace").replace("\x00", "")
    entries = _ris(text) if _RIS_START.search(text) else _bibtex(text)
    found = [reference for entry in entries if (reference := _reference(entry))]
    if not found:
        raise InputError("contains no BibTeX or RIS entry that we can read", where="bibliography")
    return found[-MOST_ENTRIES:]


def _bibtex(text: str) -> list[dict[str, str]]:
    library = parse_string(text)
    return [
        {field.key.lower(): str(field.value) for field in entry.fields} for entry in library.entries
    ]


def _ris(text: str) -> list[dict[str, str]]:
    try:
        entries = rispy.loads(text)
    except (OSError, ValueError) as error:
        raise InputError(f"is not valid RIS: {str(error)[:100]}", where="bibliography") from error
    return [
        {
            key: " ".join(map(str, value)) if isinstance(value, list) else str(value)
            for key, value in entry.items()
        }
        for entry in entries
    ]


def _reference(entry: dict[str, str]) -> Reference | None:
    title = entry.get("title") or entry.get("primary_title") or ""
    # Braces in BibTeX keep capitals; readers need neither.
    title = clean(title[:1000]).replace("{", "").replace("}", "")[:200]
    identity = next(
        (found for field in _ID_FIELDS if (found := _identity(entry.get(field, "")))), None
    )
    return Reference(identity, title) if identity or title else None


def _identity(value: str) -> str | None:
    candidates = [value.strip().strip("{}"), *_ID_IN_TEXT.findall(value)]
    for candidate in candidates:
        try:
            return paper_identity(candidate.replace("arXiv.org/", "arxiv.org/"))
        except InputError:
            continue
    return None
