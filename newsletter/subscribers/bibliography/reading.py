"""Read a bibliography: BibTeX and RIS to papers. Pure; runs in a child process with limits.

Reference managers write both in their own ways; an entry that cannot be read is left out, and
only a file without a single readable entry is refused.
"""

import logging
import re
from itertools import islice

import rispy
from bibtexparser.entrypoint import parse_string

from newsletter.core.errors import InputError, LimitError
from newsletter.core.identifiers import ARXIV_ID, DOI, arxiv_of_doi, canonical_doi, split_arxiv_id
from newsletter.core.one_line import tidy
from newsletter.core.text import clean
from newsletter.subscribers.bibliography.cutting import bibtex_entries, is_ris, ris_entries

# Nothing longer is an identifier or the field that holds one.
_LONGEST_FIELD = 2000
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

# The parser logs every odd entry with its text; a reader's library does not belong in our log.
logging.getLogger("bibtexparser").setLevel(logging.CRITICAL)


def read(data: bytes, *, most_entries: int) -> list[tuple[str | None, str]]:
    """Pairs of identity (arXiv id or DOI) and title of the entries; see `Reference`.

    Raises:
        LimitError: there are more than ``most_entries``.
        InputError: nothing in it can be read as BibTeX or RIS.
    """
    text = data.decode("utf-8-sig", errors="replace").replace("\x00", "")
    cut, parse = (ris_entries, _ris) if is_ris(text) else (bibtex_entries, _bibtex)
    entries = list(islice(cut(text), most_entries + 1))
    if len(entries) > most_entries:
        raise LimitError(f"contains more than {most_entries:,} entries", where="bibliography")
    found = [reference for entry in parse(entries) if (reference := _reference(entry))]
    if not found:
        raise InputError("contains no BibTeX or RIS entry that we can read", where="bibliography")
    return found


def _bibtex(entries: list[str]) -> list[dict[str, str]]:
    library = parse_string("\n\n".join(entries))
    return [
        {field.key.lower(): str(field.value) for field in entry.fields} for entry in library.entries
    ]


def _ris(entries: list[str]) -> list[dict[str, str]]:
    found: list[dict[str, str]] = []
    for entry in entries:
        try:
            parsed = rispy.loads(entry)
        except (OSError, ValueError):
            continue
        found += [
            {
                key: " ".join(map(str, value)) if isinstance(value, list) else str(value)
                for key, value in fields.items()
            }
            for fields in parsed
        ]
    return found


def _reference(entry: dict[str, str]) -> tuple[str | None, str] | None:
    title = entry.get("title") or entry.get("primary_title") or ""
    # Braces in BibTeX keep capitals; readers need neither.
    title = clean(title[:1000]).replace("{", "").replace("}", "")[:200]
    identity = next(
        (found for field in _ID_FIELDS if (found := _identity(entry.get(field, "")))), None
    )
    return (identity, title) if identity or title else None


def _identity(value: str) -> str | None:
    value = value[:_LONGEST_FIELD]
    for candidate in (value.strip().strip("{}"), *_ID_IN_TEXT.findall(value)):
        bare = tidy(candidate).rstrip("/").split("?")[0].split("#")[0]
        doi = canonical_doi(bare)
        found = split_arxiv_id(bare)[0] or arxiv_of_doi(doi) or doi
        if found:
            return found
    return None
