"""Formats with a tag at the beginning of each line: RIS, PubMed, Web of Science, EndNote. Pure."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace

from newsletter.subscribers.bibliography.entries import LONGEST_ENTRY, TOO_LONG, Entry

# "TY  - JOUR", and as some write it: with one space, with none, with more, indented.
_RIS_LINE = re.compile(r"[ \t]{0,20}(?P<tag>[A-Z][A-Z0-9])[ \t]{0,3}-(?:[ \t]+(?P<value>.*)|$)")
_RIS_END = re.compile(r"[ \t]{0,20}ER[ \t]{0,3}-?[ \t]*$")
_PUBMED_LINE = re.compile(r"(?P<tag>[A-Z]{2,4})[ \t]{0,3}-(?:[ \t]+(?P<value>.*)|$)")
_WOS_LINE = re.compile(r"(?P<tag>[A-Z][A-Z0-9])(?:[ \t]+(?P<value>.*)|$)")
_ENDNOTE_LINE = re.compile(r"%(?P<tag>[0-9A-Z@!$^&(~*+|>?])(?:[ \t]+(?P<value>.*)|$)")

# Web of Science says of the whole file what it is.
_FILE_TAGS = frozenset({"FN", "VR", "EF"})
# Tags to the fields that are looked at; the first tag with a value wins.
_RIS_FIELDS = {
    "TI": "title", "T1": "title", "CT": "title", "BT": "book",
    "DO": "doi", "DI": "doi", "UR": "url", "L1": "url", "L2": "url", "L3": "url", "LK": "url",
    "JO": "journal", "JF": "journal", "JA": "journal", "T2": "journal", "VL": "volume",
    "M1": "number", "M3": "number", "IS": "number", "SN": "number", "AN": "accession",
    "DB": "database", "DP": "database", "PB": "publisher", "C1": "pmid_text", "C2": "pmc_text",
    "N1": "note", "RN": "note", "U1": "note", "C6": "note", "C7": "note", "ID": "note",
}  # fmt: skip
_PUBMED_FIELDS = {
    "TI": "title", "TT": "title", "BTI": "book", "PMID": "pmid", "PMC": "pmcid",
    "LID": "located", "AID": "located", "SO": "howpublished",
}  # fmt: skip
_WOS_FIELDS = {
    "TI": "title", "DI": "doi", "D2": "doi", "PM": "pmid", "SO": "journal", "VL": "volume",
    "AR": "number", "UR": "url",
}  # fmt: skip
_ENDNOTE_FIELDS = {
    "T": "title", "B": "journal", "J": "journal", "V": "volume", "N": "number", "R": "doi",
    "U": "url", "M": "accession", "W": "database", "Z": "note", "2": "pmc_text", "1": "pmid_text",
    "^": "pmid_text",
}  # fmt: skip


def ris(text: str) -> Iterator[tuple[int, Entry]]:
    """RIS: an entry ends with ER, or where the next TY stands without one."""
    for place, lines in _cut(text, _RIS_LINE, ends=_RIS_END, begins="TY"):
        entry = _entry(lines, _RIS_FIELDS)
        if entry is not None:
            yield place, entry


def pubmed(text: str) -> Iterator[tuple[int, Entry]]:
    """PubMed's own format (.nbib): each entry begins with its PMID."""
    for place, lines in _cut(text, _PUBMED_LINE, ends=None, begins="PMID"):
        entry = _entry(lines, _PUBMED_FIELDS)
        if entry is not None:
            title = entry.fields.get("title", "").removesuffix(".")
            yield place, replace(entry, fields={**entry.fields, "title": title})


def web_of_science(text: str) -> Iterator[tuple[int, Entry]]:
    """Web of Science in plain text: from PT to ER."""
    for place, lines in _cut(text, _WOS_LINE, ends=_RIS_END, begins="PT"):
        entry = _entry(lines, _WOS_FIELDS)
        if entry is not None:
            yield place, entry


def endnote(text: str) -> Iterator[tuple[int, Entry]]:
    """EndNote's export (.enw): each entry begins with its kind, %0."""
    for place, lines in _cut(text, _ENDNOTE_LINE, ends=None, begins="0"):
        entry = _entry(lines, _ENDNOTE_FIELDS)
        if entry is not None:
            yield place, entry


def _cut(
    text: str, line_form: re.Pattern[str], *, ends: re.Pattern[str] | None, begins: str
) -> Iterator[tuple[int, list[tuple[str, str]]]]:
    """The tagged lines of each entry, with its place; a line without a tag goes on before it."""
    lines: list[tuple[str, str]] = []
    start, place, has_begun = 0, 0, False
    for line in text.splitlines(keepends=True):
        here, place = place, place + len(line)
        said = line.rstrip("\r\n")
        if ends is not None and ends.match(said):
            if lines:
                yield start, lines
            lines, has_begun = [], False
            continue
        tagged = line_form.match(said)
        if tagged is None:
            if lines and said.strip():
                tag, value = lines[-1]
                if len(value) < LONGEST_ENTRY:
                    lines[-1] = (tag, f"{value} {said.strip()}")
            continue
        tag = tagged["tag"]
        if tag in _FILE_TAGS and not lines:
            continue
        if tag == begins:
            if has_begun and lines:
                yield start, lines
                lines = []
            has_begun = True
        if not lines:
            start = here
        lines.append((tag, (tagged["value"] or "").strip()))
    if lines:
        yield start, lines


def _entry(lines: list[tuple[str, str]], names: Mapping[str, str]) -> Entry | None:
    """The fields of an entry; None where no tag is one that we know."""
    if sum(len(value) for _, value in lines) > LONGEST_ENTRY:
        return Entry(0, unusable=TOO_LONG)
    found: dict[str, str] = {}
    for tag, value in lines:
        name = names.get(tag)
        if name == "title":
            found.setdefault(name, value)
        elif name and value:
            found[name] = f"{found[name]}\n{value}" if name in found else value
    if not found and not {tag for tag, _ in lines} & {"TY", "PT", "PMID", "0"}:
        return None
    if not found.get("title") and found.get("book"):
        found["title"] = found["book"]
    return Entry(0, found)
