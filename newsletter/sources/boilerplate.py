"""What publishers' feeds put in the place of an abstract: citation lines, dates, names, DOIs.

Such lines are no abstract. What they say is used where the feed says it nowhere else.
"""

import re
from dataclasses import dataclass

from newsletter.core.identifiers import DOI

_MONTH = r"(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)[a-z]*"
_DAY = rf"(?:\d{{1,2}}\s+{_MONTH}\s+\d{{4}}|{_MONTH}\.?\s+\d{{1,2}},?\s+\d{{4}}|\d{{4}}-\d\d-\d\d)"
_AUTHORS = re.compile(r"(?:Authors?|Author\(s\)|By):\s*(?P<names>.*)", re.I)
_SOURCE = re.compile(r"(?:Source|Journal|Publication):\s*(?P<journal>[^,;]*)(?:[,;].*)?", re.I)
_DATED = re.compile(
    r"(?:(?P<journal>[^,;:]{2,80}),\s*)?"
    r"(?:(?:First\s+)?Published|Publication\s+date|Available\s+online|Date)(?:\s+online)?"
    rf"(?:\s*(?:on|:))?\s*(?:[A-Z][a-z]{{2,8}},?\s+)?(?P<date>{_DAY}|{_MONTH}\s+\d{{4}})"
    rf"\s*[;,.]?\s*(?:doi:\s*(?P<doi>{DOI}\S+))?\.?",
    re.I,
)
_BRACKETED = re.compile(
    rf"\[[^\[\]]{{3,120}}\]\s*(?:Published\s+(?:[A-Z][a-z]{{2}}\s+)?(?P<date>{_DAY}))?\.?"
)
_CITATION = re.compile(
    r"(?:(?P<journal>[^,]{2,120}),\s*)?"
    r"(?:Ahead of Print|Early\s?View|Accepted Article|Advance Article|Volume\s+\S{1,12})"
    r"(?:,\s*(?:Issue|No\.?|Number|Pages?|Part|Article)\s+[^,]{1,30})*"
    rf"(?:,\s*(?:(?:\d{{1,2}}\s+)?{_MONTH}\s*/?\s*(?:{_MONTH}\s+)?)?\d{{4}})?"
    r"(?:,\s*Pages?\s+[^,]{1,30})?\s*\.?",
    re.I,
)
_NAMED_DOI = re.compile(
    r"(?:(?P<journal>[^:]{0,60}?)\s*)?doi:\s*(?:https?://(?:dx\.)?doi\.org/)?"
    rf"(?P<doi>{DOI}[^\s,;]+)\.?",
    re.I,
)
_PUBMED_CITATION = re.compile(
    rf"[^.]{{2,80}}\.\s+\d{{4}}\b.{{0,120}}?\bdoi:\s*(?P<doi>{DOI}[^\s;]+?)\.?"
    r"(?:\s+(?:eCollection|Epub|Online ahead).{0,60})?",
    re.I,
)
_PUBMED_IDS = re.compile(rf"PMID:\s*\d+(?:\s*\|.*?DOI:\s*(?P<doi>{DOI}\S+))?.*", re.I)
_EMPTY = re.compile(
    r"abstract\.?:?|summary:?|graphical abstract|toc graphic|open access|highlights:?|read more.*|"
    r"continue reading.*|the post .{1,300} appeared first on .{1,200}|"
    r"(?:copyright\s+)?(?:©|\(c\)).{0,200}|the content of this rss feed .{0,120}|"
    r"this article is licensed under .{0,200}|to cite this article before page numbers .{0,100}|"
    r"\[?(?:…|\.\.\.)\]?|keywords?:\s.{0,500}",
    re.I,
)
_HEADING = re.compile(r"^(?i:abstract|summary)\s*[:.–—-]\s*(?=\S)|^ABSTRACT\s+(?=[A-Z])")
_MOST_LINES = 400


@dataclass(frozen=True, slots=True)
class Body:
    """The abstract of a feed's entry, and what stood around it."""

    abstract: str
    authors: str = ""
    published: str | None = None
    doi: str | None = None
    journal: str | None = None


def read_body(text: str) -> Body:
    """Divide the text of an entry, one block a line, into its abstract and what is none."""
    kept: list[str] = []
    found: dict[str, str] = {}
    for line in text.split("\n")[:_MOST_LINES]:
        bare = " ".join(line.split())
        if not bare.strip(" .,;:|-–—•"):
            continue
        said = _said(bare) if len(bare) < 1_000 else None
        if said is None:
            kept.append(line)
        else:
            found = {**{key: value for key, value in said.items() if value}, **found}
    if "doi" in found and len(kept) == 1 and len(kept[0]) < 60 and not kept[0].endswith("."):
        # A journal's name over its DOI.
        found = {"journal": kept.pop().strip(), **found}
    abstract = re.sub(_HEADING, "", "\n".join(kept).strip())
    return Body(
        abstract=abstract,
        authors=found.get("names", ""),
        published=found.get("date"),
        doi=found.get("doi"),
        journal=found.get("journal"),
    )


def _said(line: str) -> dict[str, str | None] | None:
    """What a line of boilerplate tells; None for a line of the abstract."""
    if _EMPTY.fullmatch(line):
        return {}
    patterns = (
        _AUTHORS, _SOURCE, _DATED, _BRACKETED, _CITATION, _NAMED_DOI, _PUBMED_IDS, _PUBMED_CITATION,
    )  # fmt: skip
    for pattern in patterns:
        if found := pattern.fullmatch(line):
            return found.groupdict()
    return None
