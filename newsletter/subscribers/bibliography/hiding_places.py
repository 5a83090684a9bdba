"""Where reference managers put a paper's arXiv id, DOI and PubMed number. Pure."""

import re
from collections.abc import Iterator, Mapping

from newsletter.core.identifiers import (
    ARXIV_ID,
    DOI,
    arxiv_of_doi,
    canonical_doi,
    doi_in_address,
    pubmed_name,
    split_arxiv_id,
)
from newsletter.core.one_line import tidy

# Nothing longer is an identifier or the field that holds one.
LONGEST_FIELD = 2000
# Fields made for an id, fields that often hold one, and notes, which may name other papers too.
_ARXIV_FIELDS = ("arxivid", "arxiv", "eprint", "archive_location", "archive location", "archiveid")
_ADDRESSES = ("url", "urls", "link", "links", "bdsk-url-1", "bdsk-url-2", "adsurl", "ee", "biburl")
_TEXTS = (
    "journal", "journaltitle", "volume", "number", "howpublished", "pages", "publisher", "located",
    "accession", "eid", "institution", "type", "school", "series",
)  # fmt: skip
_NOTES = ("note", "extra", "annote", "addendum", "comment", "notes", "annotation", "keywords")
_ARXIV_IN_TEXT = re.compile(
    rf"(?:arxiv\s{{0,3}}(?:e-?prints?)?\s{{0,3}}[:./,\s]?\s{{0,3}}(?:abs/|pdf/)?"
    rf"|arxiv\.org/(?:abs|pdf|html|format)/|\babs/)(?P<id>{ARXIV_ID})(?!\d)",
    re.IGNORECASE,
)
_OLD_STYLE = re.compile(rf"(?<![\w./-])(?P<id>{ARXIV_ID.split('|', 1)[1][:-1]})(?!\d)", re.I)
_DOI_IN_TEXT = re.compile(rf"(?<![\w.]){DOI}[^\s,\"{{}}|]+", re.IGNORECASE)
# "2021arXiv210100001D": how the Astrophysics Data System names a preprint.
_BIBCODE = re.compile(r"\b\d{4}arXiv(?P<month>\d{4})\.?(?P<number>\d{4,5})[A-Z]\b")
_PUBMED_IN_TEXT = re.compile(
    r"\bPMID\s{0,3}[:=]?\s{0,3}(?P<pmid>\d{4,9})\b"
    r"|pubmed\.ncbi\.nlm\.nih\.gov/(?P<address>\d{1,9})\b"
    r"|ncbi\.nlm\.nih\.gov/(?:m/)?pubmed/(?:\?term=)?(?P<old>\d{1,9})\b"
    r"|\bPubMed(?:\s{0,3}ID)?\s{0,3}[:=]?\s{0,3}(?P<said>\d{6,9})\b",
    re.IGNORECASE,
)
_PMC_IN_TEXT = re.compile(r"\bPMC\s{0,2}(?P<pmc>\d{4,9})\b", re.IGNORECASE)
_NUMBER = re.compile(r"\d{7}|\d{4}\.\d{4,5}")
_TEX = (
    (re.compile(r"\\(?:url|doi|href|texttt|path)\s{0,3}(?=\{)"), ""),
    (re.compile(r"\\text(less|greater|underscore)(?:\s?\{\}|\s|\b)"), ""),
    (re.compile(r"\$\s?([<>_])\s?\$"), r"\1"),
    (re.compile(r"\\([_%&#$~<>{}])"), r"\1"),
    (re.compile(r"\{?\\_\}?"), "_"),
)
_SIGNS = {"less": "<", "greater": ">", "underscore": "_"}


def names_of(fields: Mapping[str, str]) -> tuple[str, ...]:
    """The names of the paper, the surest first: arXiv id, DOI, "pmid:…", "pmc:…".

    Notes count only where nothing else names the paper: they may speak of another one.
    """
    found = _Names()
    found.add_doi(_plain(fields.get("doi", "")))
    found.add_eprint(fields)
    for name in ("pmid", "pmcid", "pubmedid"):
        found.add_number(_plain(fields.get(name, "")), is_pmc=name == "pmcid")
    for name in ("pmid_text", "pmc_text"):
        found.search_pubmed(_plain(fields.get(name, "")))
    if re.search(r"pubmed|medline|\bnlm\b", fields.get("database", ""), re.I):
        found.add_number(_plain(fields.get("accession", "")), is_pmc=False)
    for name in _ADDRESSES:
        for address in _plain(fields.get(name, "")).split():
            found.add_address(address)
    for name in _TEXTS:
        found.search(_plain(fields.get(name, "")))
    for name in _NOTES:
        if found.is_empty:
            found.search(_plain(fields.get(name, "")))
    return found.in_order()


class _Names:
    """The first name of each kind that was found."""

    def __init__(self) -> None:
        self._arxiv = self._doi = self._pmid = self._pmc = ""

    @property
    def is_empty(self) -> bool:
        return not self.in_order()

    def in_order(self) -> tuple[str, ...]:
        return tuple(filter(None, (self._arxiv, self._doi, self._pmid, self._pmc)))

    def add_doi(self, value: str) -> None:
        """A field made for DOIs; some hold an arXiv id, an address, or words around it."""
        self._add(value)
        if not self._doi and not self._arxiv:
            self.search(value)

    def add_eprint(self, fields: Mapping[str, str]) -> None:
        """An arXiv id in a field of its own, where the archive is arXiv or is not named."""
        named = fields.get("archiveprefix") or fields.get("eprinttype") or fields.get("archive")
        archive = _plain(named or "arxiv").lower()
        is_pubmed = archive in {"pubmed", "pmid"}
        for name in _ARXIV_FIELDS:
            value = _plain(fields.get(name, ""))
            if is_pubmed and name == "eprint":
                self.add_number(value, is_pmc=False)
            if not value or ("arxiv" not in archive and name in _ARXIV_FIELDS[2:]):
                continue
            category = fields.get("primaryclass") or fields.get("eprintclass") or ""
            self._arxiv = self._arxiv or _arxiv_id(value, _plain(category))
            self.search(value)

    def add_number(self, value: str, *, is_pmc: bool) -> None:
        """PubMed's number in a field of its own, or its address."""
        self.search_pubmed(value)
        number = re.fullmatch(r"(PMC)?\s?(\d{1,9})(?:\.\d)?", value, re.I)
        if number and (is_pmc or number[1]):
            self._pmc = self._pmc or f"pmc:{int(number[2])}"
        elif number:
            self._pmid = self._pmid or pubmed_name(number[2]) or ""

    def add_address(self, address: str) -> None:
        """A link: to arXiv, to a DOI's resolver, to a publisher, to PubMed."""
        self._add(address)
        if not self._doi and not self._arxiv and (doi := doi_in_address(address)):
            self._set_doi(doi)
        self.search(address)

    def search(self, text: str) -> None:
        """Names anywhere in a text."""
        if not text:
            return
        if not self._arxiv:
            found = _ARXIV_IN_TEXT.search(text) or _OLD_STYLE.search(text)
            if found:
                self._arxiv = split_arxiv_id(found["id"])[0] or ""
            elif code := _BIBCODE.search(text):
                self._arxiv = split_arxiv_id(f"{code['month']}.{code['number']}")[0] or ""
        if not self._doi and (inside := _DOI_IN_TEXT.search(text)):
            self._set_doi(canonical_doi(inside[0]))
        self.search_pubmed(text)

    def search_pubmed(self, text: str) -> None:
        """PubMed's and PubMed Central's numbers anywhere in a text."""
        if not self._pmid and (found := _PUBMED_IN_TEXT.search(text)):
            self._pmid = pubmed_name(next(filter(None, found.groups()))) or ""
        if not self._pmc and (central := _PMC_IN_TEXT.search(text)):
            self._pmc = f"pmc:{int(central['pmc'])}"

    def _add(self, value: str) -> None:
        """A value that is nothing but a name."""
        bare = re.split(r"[?#]", value, maxsplit=1)[0]
        self._arxiv = self._arxiv or split_arxiv_id(bare)[0] or ""
        self._set_doi(canonical_doi(value))

    def _set_doi(self, doi: str | None) -> None:
        self._arxiv = self._arxiv or arxiv_of_doi(doi) or ""
        if doi and not self._doi and not arxiv_of_doi(doi):
            self._doi = doi


def _arxiv_id(value: str, category: str) -> str:
    """ "0601001" of astro-ph is "astro-ph/0601001"; "[cs.LG]" behind an id says nothing new."""
    bare = re.sub(r"\s*\[[^\]]{0,40}\]\s*$", "", value)
    if _NUMBER.fullmatch(bare) and "." not in bare and category:
        bare = f"{category.split(maxsplit=1)[0].split('.', maxsplit=1)[0]}/{bare}"
    return split_arxiv_id(bare)[0] or ""


def _plain(value: str) -> str:
    """A field without TeX's escapes and braces, on one line."""
    value = value[:LONGEST_FIELD]
    if "\\" in value or "{" in value or "$" in value:
        for pattern, instead in _TEX:
            if instead or "text" not in pattern.pattern or "url" in pattern.pattern:
                value = pattern.sub(instead, value)
            else:
                value = pattern.sub(lambda match: _SIGNS[match[1]], value)
        value = value.replace("{", " " if "}{" in value else "").replace("}", "")
    return tidy(value)


def each_line(text: str) -> Iterator[str]:
    """Lines with something in them."""
    return (line.strip() for line in text.splitlines() if line.strip())
