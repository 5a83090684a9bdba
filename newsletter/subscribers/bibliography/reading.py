"""Read a bibliography in whatever format it is. Pure; runs in a child process with limits.

Reference managers write every format in their own ways. Each entry is read or is left out with
its line and a reason; only a file without a single readable entry is refused.
"""

import codecs
import re
from collections.abc import Callable, Iterator
from itertools import islice

from newsletter.core.charset import decoded
from newsletter.core.errors import InputError, LimitError
from newsletter.core.identifiers import canonical_doi, pubmed_name, split_arxiv_id
from newsletter.core.text import clean
from newsletter.subscribers.bibliography import bibtex, structured, tagged
from newsletter.subscribers.bibliography.entries import Entry, Lines
from newsletter.subscribers.bibliography.hiding_places import each_line, names_of

Reader = Callable[[str], Iterator[tuple[int, Entry]]]
LONGEST_TITLE = 200
NOTHING = (
    "contains no BibTeX or RIS entry, and no other bibliography that we can read "
    "(PubMed, Web of Science, EndNote, CSL JSON, Zotero's CSV or RDF)"
)
_NOT_TEXT = (
    (b"%PDF-", "is a PDF file; it"),
    (b"PK\x03\x04", "is a ZIP archive; it"),
    (b"\x1f\x8b", "is a compressed file; it"),
    (b"\x89PNG", "is an image; it"),
    (b"\xff\xd8\xff", "is an image; it"),
    (b"GIF8", "is an image; it"),
    (b"\xd0\xcf\x11\xe0", "is an Office document; it"),
    (b"{\\rtf", "is an RTF document; it"),
    (b"SQLite format 3", "is a database; it"),
)
_HTML = re.compile(r"\s*(?:<!--.{0,500}?-->\s*)?<(?:!doctype html|html|head|body)\b", re.I | re.S)
# What an entry of each format begins with. The first line belongs to the first format that is
# found, and where another one's entry begins, that one goes on.
_MARKS = re.compile(
    r"^[ \t]{0,20}(?:"
    r"(?P<bibtex>@[A-Za-z]{1,40}\s{0,20}[{(])"
    r"|(?P<ris>TY[ \t]{0,3}-(?:[ \t]|$))"
    r"|(?P<pubmed>PMID[ \t]{0,3}-[ \t]*\d)"
    r"|(?P<wos>PT [A-Z][ \t]*$)"
    r"|(?P<endnote>%0[ \t]+[A-Z])"
    r")",
    re.MULTILINE,
)
_READERS: dict[str, Reader] = {
    "bibtex": bibtex.entries,
    "ris": tagged.ris,
    "pubmed": tagged.pubmed,
    "wos": tagged.web_of_science,
    "endnote": tagged.endnote,
}
_ENCODING = re.compile(rb"^%+\s{0,5}Encoding:\s{0,5}([\w.:-]{2,30})", re.I | re.M)
# Names of encodings that Java, and JabRef with it, has of its own.
_JAVA = {"macroman": "mac_roman", "x-macroman": "mac_roman"}
# \href{address}{words}: the words are the title's.
_LINKED = re.compile(r"\\href\s{0,3}\{[^{}]{0,500}\}\s{0,3}(?=\{)")
_CONTROLS = re.compile("[\x01-\x08\x0e-\x1a\x1c-\x1f]")


def read(data: bytes, *, most_entries: int) -> dict[str, list[list[object]]]:
    """The references as [names, title, line], and what was left out as [line, why].

    Raises:
        LimitError: there are more than ``most_entries``.
        InputError: nothing in it can be read.
    """
    if not data.strip(b"\x00 \t\r\n\xef\xbb\xbf\xff\xfe"):
        raise InputError(f"is empty: it {NOTHING}", where="bibliography")
    for mark, said in _NOT_TEXT:
        if data.startswith(mark):
            raise InputError(f"{said} {NOTHING}", where="bibliography")
    text = _text(data)
    if _HTML.match(text):
        raise InputError(f"is a web page; it {NOTHING}", where="bibliography")
    entries = list(islice(_entries(text), most_entries + 1))
    if len(entries) > most_entries:
        raise LimitError(f"contains more than {most_entries:,} entries", where="bibliography")
    references, left_out = _sorted_out(entries)
    if not references:
        raise InputError(NOTHING + _why(left_out), where="bibliography")
    return {"references": references, "left_out": left_out}


def _why(left_out: list[list[object]]) -> str:
    """Why the first entry of a file without a readable one cannot be read."""
    return f"; line {left_out[0][0]}: {left_out[0][1]}" if left_out else ""


def _text(data: bytes) -> str:
    declared = _ENCODING.search(data[:4096])
    if data.startswith((codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE)):
        text = data.decode("utf-32", "replace")
    elif encoding := _without_mark(data):
        text = data.decode(encoding, "replace")
    else:
        charset = declared[1].decode("ascii").lower() if declared else None
        text = decoded(data, _JAVA.get(charset or "", charset))
    text = text.replace("\r\n", "\n").replace("\r", "\n").replace("\ufeff", "")
    return _CONTROLS.sub(" ", text.replace("\x00", ""))


def _without_mark(data: bytes) -> str | None:
    """UTF-16 without a byte order mark: every second byte of what is mostly ASCII is nothing."""
    start = data[:2000]
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return None
    for encoding, offset in (("utf-16-le", 1), ("utf-16-be", 0)):
        zeros = start[offset::2].count(0)
        if len(start) > 3 and zeros * 2 > len(start[offset::2]) and zeros > start.count(0) * 0.9:
            return encoding
    return None


def _entries(text: str) -> Iterator[Entry]:
    """The entries of a text with their lines."""
    first = text.lstrip()[:1]
    if first == "<":
        yield from _at_lines(structured.xml_entries(text))
    elif first in {"[", "{"}:
        yield from _in_lines(structured.json_entries(text), text)
    elif _MARKS.search(text):
        for start, end, reader in _segments(text):
            yield from _in_lines(reader(text[start:end]), text, start)
    elif structured.is_table(text):
        yield from _at_lines(structured.table_entries(text))
    elif "@" in text and not _is_list(text):
        # An entry behind something else on its line.
        yield from _in_lines(bibtex.entries(text), text)
    elif _is_list(text):
        yield from (
            Entry(number, {"note": line, "pmid": line, "url": line, "doi": line})
            for number, line in enumerate(text.split("\n"), start=1)
            if line.strip()
        )
    else:
        yield from _in_lines(tagged.ris(text), text)


def _segments(text: str) -> Iterator[tuple[int, int, Reader]]:
    """Stretches of one format each: most files are one."""
    marks = [(found.start(), found.lastgroup or "") for found in _MARKS.finditer(text)]
    changes = [
        (start, name)
        for number, (start, name) in enumerate(marks)
        if number == 0 or marks[number - 1][1] != name
    ]
    starts = [0, *(start for start, _ in changes[1:])]
    ends = [*starts[1:], len(text)]
    for start, end, (_, name) in zip(starts, ends, changes, strict=True):
        yield start, end, _READERS[name]


def _is_list(text: str) -> bool:
    """Whether each line is an id: a list of DOIs, arXiv ids or PubMed's numbers."""
    lines = list(islice(each_line(text), 20))
    return bool(lines) and all(
        split_arxiv_id(line)[0] or canonical_doi(line) or pubmed_name(line) for line in lines
    )


def _in_lines(found: Iterator[tuple[int, Entry]], text: str, offset: int = 0) -> Iterator[Entry]:
    lines = Lines(text)
    for place, entry in found:
        yield Entry(lines.at(offset + place), entry.fields, entry.unusable)


def _at_lines(found: Iterator[tuple[int, Entry]]) -> Iterator[Entry]:
    for line, entry in found:
        yield Entry(line, entry.fields, entry.unusable)


def _sorted_out(entries: list[Entry]) -> tuple[list[list[object]], list[list[object]]]:
    references: list[list[object]] = []
    left_out: list[list[object]] = []
    known: dict[str, int] = {}
    for entry in entries:
        if entry.unusable:
            left_out.append([entry.line, entry.unusable])
            continue
        title, names = _title(entry.fields.get("title", "")), names_of(entry.fields)
        if not title and not names:
            left_out.append([entry.line, "it has neither a title nor an identifier"])
            continue
        keys = names or (title.casefold(),)
        if before := next((known[key] for key in keys if key in known), None):
            left_out.append([entry.line, f"it is the same paper as in line {before}"])
            continue
        known |= dict.fromkeys(keys, entry.line)
        references.append([list(names), title, entry.line])
    return references, left_out


def _title(title: str) -> str:
    """A title as people read it. Braces in BibTeX keep capitals; readers need neither."""
    title = clean(_LINKED.sub("", title[:1000]))
    if "<" in title or "&" in title:
        title = clean(title)
    title = title.replace("{", "").replace("}", "")
    if title.startswith("[") and title.rstrip(".").endswith("]"):  # PubMed: "[A translated one]."
        title = title.rstrip(".").strip("[]")
    return title[:LONGEST_TITLE].strip()
