"""Formats with a structure of their own: CSL JSON, tables, Zotero's RDF, EndNote's XML. Pure."""

import csv
import json
import re
from collections.abc import Iterator, Mapping
from typing import cast
from xml.etree.ElementTree import Element, ParseError, XMLPullParser

from newsletter.core.errors import InputError
from newsletter.subscribers.bibliography.entries import (
    BREAKS_OFF,
    LONGEST_ENTRY,
    TOO_LONG,
    Entry,
)

Events = Iterator[tuple[str, Element]]
# Names of columns and of JSON's keys, in lower case, to the fields that are looked at.
_FIELDS = {
    "title": "title", "article title": "title", "document title": "title", "ti": "title",
    "doi": "doi", "di": "doi", "url": "url", "urls": "url", "link": "url", "ur": "url",
    "pmid": "pmid", "pubmed id": "pmid", "pubmedid": "pmid", "pm": "pmid",
    "pmcid": "pmcid", "pmc": "pmcid", "archive": "archive", "archive_location": "eprint",
    "archivelocation": "eprint", "archive location": "eprint", "archiveid": "archiveid",
    "arxiv id": "arxivid", "arxiv": "arxivid", "arxivid": "arxivid", "number": "number",
    "report number": "number", "container-title": "journal", "publication title": "journal",
    "publicationtitle": "journal", "source title": "journal", "so": "journal", "journal": "journal",
    "journal/book": "journal", "volume": "volume", "vl": "volume", "note": "note",
    "extra": "extra", "notes": "notes", "repository": "publisher", "publisher": "publisher",
}  # fmt: skip
_LIST = re.compile(r'"(?:items|references)"\s{0,20}:\s{0,20}\[')
_BETWEEN = re.compile(r"[\s,]*")
_ENTITIES = re.compile(r"<!(?:DOCTYPE|ENTITY)", re.IGNORECASE)
_HEADER_WORDS = {"title", "article title", "document title", "ti"}
_RDF_SKIPPED = {"Journal", "Attachment", "Memo", "Collection", "Series", "Book", "Seq", "Person"}


def json_entries(text: str) -> Iterator[tuple[int, Entry]]:
    """CSL JSON, and what Zotero's plugins and its web service give: items with a title or a DOI."""
    decoder = json.JSONDecoder()
    listed = _LIST.search(text) if text.lstrip().startswith("{") else None
    at = listed.end() if listed else len(text) - len(text.lstrip())
    is_list = listed is not None or text[at : at + 1] == "["
    if is_list and not listed:
        at += 1
    while at < len(text):
        between = _BETWEEN.match(text, at)
        at = between.end() if between else at
        if at >= len(text) or text[at] == "]":
            return
        try:
            item, end = decoder.raw_decode(text, at)
        except (ValueError, RecursionError):
            yield at, Entry(0, unusable="it is broken JSON; nothing after it was read")
            return
        yield at, _json_item(item, end - at)
        if not is_list:
            return
        at = end
    if is_list:
        yield len(text), Entry(0, unusable=BREAKS_OFF)


def _json_item(item: object, size: int) -> Entry:
    if not isinstance(item, dict):
        return Entry(0, unusable="it is no object with a title")
    if size > LONGEST_ENTRY:
        return Entry(0, unusable=TOO_LONG)
    inner = item.get("data")
    return Entry(0, _fields(inner if isinstance(inner, dict) else item))


def _fields(values: Mapping[object, object]) -> dict[str, str]:
    found: dict[str, str] = {}
    for key, value in values.items():
        name = _FIELDS.get(str(key).strip().lower())
        # Crossref's titles and Mendeley's addresses are lists.
        several = value[:20] if isinstance(value, list) else [value]
        said = "\n".join(str(each) for each in several if isinstance(each, str | int))
        if name and said.strip():
            found.setdefault(name, said)
        elif isinstance(value, dict) and str(key).lower() == "identifiers":  # Mendeley
            found = _fields(value) | found
    return found


def is_table(text: str) -> bool:
    """Whether the first line names columns, a title among them."""
    header = _header(text)
    return len(header) > 1 and not _HEADER_WORDS.isdisjoint(header)


def _header(text: str) -> list[str]:
    first = text.lstrip().split("\n", 1)[0][:LONGEST_ENTRY]
    return [cell.strip('" ').lower() for cell in first.split(_delimiter(first))]


def _delimiter(first: str) -> str:
    return max(",\t;", key=first.count)


def table_entries(text: str) -> Iterator[tuple[int, Entry]]:
    """A table with a line for each entry: Zotero's CSV, Web of Science's tabs, Scopus, PubMed.

    The place is a line's number, not a place in the text.
    """
    skipped = len(text) - len(text.lstrip())
    delimiter = _delimiter(text.lstrip().split("\n", 1)[0])
    first_line = text[:skipped].count("\n")
    csv.field_size_limit(2 * LONGEST_ENTRY)
    is_plain = delimiter == "\t" and '"' not in text[:200]
    rows = csv.reader(
        text[skipped:].splitlines(keepends=True),
        delimiter=delimiter,
        quoting=csv.QUOTE_NONE if is_plain else csv.QUOTE_MINIMAL,
    )
    header = [cell.strip().lower() for cell in next(rows)]
    line = rows.line_num + 1
    while True:
        try:
            cells = next(rows, None)
        except csv.Error:
            yield first_line + line, Entry(0, unusable=TOO_LONG)
            return
        if cells is None:
            return
        if any(cell.strip() for cell in cells):
            size = sum(map(len, cells))
            fields = _fields(dict(zip(header, cells, strict=False)))
            entry = Entry(0, fields) if size <= LONGEST_ENTRY else Entry(0, unusable=TOO_LONG)
            yield first_line + line, entry
        line = rows.line_num + 1


def xml_entries(text: str) -> Iterator[tuple[int, Entry]]:
    """Zotero's RDF and EndNote's XML. The place is a line's number.

    Raises:
        InputError: it declares entities of its own.
    """
    if _ENTITIES.search(text):
        raise InputError("is refused: it declares XML entities", where="bibliography")
    is_rdf = "<rdf:RDF" in text[:LONGEST_ENTRY]
    parser: XMLPullParser[Element] = XMLPullParser(events=("start", "end"))
    found: list[tuple[int, Entry]] = []
    journals: dict[str, list[str]] = {}
    part_of: list[tuple[int, str]] = []
    opened: list[int] = []
    line = 0
    try:
        for line, said in enumerate(text.lstrip().splitlines(keepends=True), start=1):
            parser.feed(said)
            for event, element in cast("Events", parser.read_events()):
                if event == "start":
                    opened.append(line)
                    continue
                begun = opened.pop()
                if is_rdf and len(opened) == 1:
                    _rdf(element, begun, found, journals, part_of)
                    element.clear()
                elif not is_rdf and _local(element) == "record":
                    found.append((begun, Entry(0, _record(element))))
                    element.clear()
        parser.close()
    except ParseError:
        found.append((line, Entry(0, unusable=BREAKS_OFF)))
    yield from _with_journals(found, journals, part_of)


def _local(element: Element) -> str:
    return str(element.tag).rpartition("}")[2]


def _rdf(
    element: Element,
    line: int,
    found: list[tuple[int, Entry]],
    journals: dict[str, list[str]],
    part_of: list[tuple[int, str]],
) -> None:
    """An item; Zotero writes an article's DOI into the journal that it is part of."""
    about = _attribute(element, "about")
    values: dict[str, list[str]] = {}
    for child in element:
        if _local(child) == "isPartOf":
            if resource := _attribute(child, "resource"):
                part_of.append((len(found), resource))
            for inner in child.iter():
                if _local(inner) == "identifier":
                    values.setdefault("note", []).append("".join(inner.itertext()))
        else:
            values.setdefault(_local(child), []).append("".join(child.itertext()).strip())
    if _local(element) in _RDF_SKIPPED and not values.get("itemType"):
        journals.setdefault(about, []).extend(values.get("identifier", []))
        return
    if "title" not in values and "identifier" not in values:
        return
    named = values.get("identifier", []) + values.get("note", [])
    fields = {
        "title": next(iter(values.get("title", [])), ""),
        "url": "\n".join([about, *(name for name in named if "://" in name)]),
        "located": "\n".join(name for name in named if "://" not in name),
        "note": "\n".join(values.get("description", [])),
    }
    found.append((line, Entry(0, fields)))


def _attribute(element: Element, name: str) -> str:
    found = (value for key, value in element.attrib.items() if key.rpartition("}")[2] == name)
    return next(found, "")


def _with_journals(
    found: list[tuple[int, Entry]],
    journals: Mapping[str, list[str]],
    part_of: list[tuple[int, str]],
) -> Iterator[tuple[int, Entry]]:
    resources = [resource for _, resource in part_of]
    own = {place: name for place, name in part_of if resources.count(name) == 1}
    for place, (line, entry) in enumerate(found):
        named = journals.get(own.get(place, ""), [])
        if entry.unusable:
            yield line, entry
            continue
        located = "\n".join([entry.fields.get("located", ""), *named])
        yield line, Entry(0, {**entry.fields, "located": located})


def _record(element: Element) -> dict[str, str]:
    """A record of EndNote's XML."""
    names = {
        "title": "title", "electronic-resource-num": "doi", "url": "url", "notes": "note",
        "accession-num": "accession", "remote-database-name": "database", "volume": "volume",
        "secondary-title": "journal", "custom1": "pmid_text", "custom2": "pmc_text",
    }  # fmt: skip
    found: dict[str, str] = {}
    for inner in element.iter():
        name = names.get(_local(inner))
        if name:
            found.setdefault(name, "".join(inner.itertext()).strip())
    return found
