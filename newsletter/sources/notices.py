"""Retractions, corrections and notices: what a title says of a paper, and what is no paper at all.

Publishers announce "Editorial Board" and "Correction: …" in the same lists as papers, and mark a
retracted paper by a word in front of its title. Pure.
"""

import re
from typing import Literal

Standing = Literal["", "retracted", "withdrawn"]

# The whole title, but for a year, a volume or a journal's name behind it.
_PARTS_OF_AN_ISSUE = re.compile(
    r"\W*(?:(?:ifc|ibc|ofc|obc)\W+)?"
    r"(?:(?:inside |outside )?(?:front|back) (?:cover|matter)|(?:front|back)matter|"
    r"cover (?:image|picture|feature)|titelbild|"
    r"editorial board|editorial advisory board|issue information|issue highlights|in this issue|"
    r"table of contents|graphical table of contents|graphical abstract toc|masthead|title page|"
    r"preliminary pages|(?:journal|publication|subscription) information|subscription page|"
    r"(?:author|subject|keyword|volume) index|reviewer (?:list|acknowledge?ments?)|"
    r"(?:list of|thanks? to|acknowledge?ments? (?:of|to)) (?:our )?(?:reviewers|referees)|"
    r"(?:instructions|information|guide(?:lines)?|guidance) (?:for|to) (?:authors|contributors)|"
    r"(?:announcements?|calendar(?: of events)?|advertisements?|aims (?:and|&) scope|"
    r"copyright page|call for papers|society (?:page|news)|"
    r"(?:publisher|editor)(?:.s|s.|s)? note|ed\. board))"
    r"(?:\W*(?:and|&|/)\W*(?:table of )?(?:contents|publication info(?:rmation)?|masthead|cover|"
    r"aims(?: (?:and|&) scope)?))?"
    r"(?:\W*(?:page|continued|\d{4}|(?:vol(?:ume)?|issue|no)\b.*|\d+.*|[-‐‑–—:|,(].*))?\W*",
    re.IGNORECASE,
)
# These words begin titles of papers too: only alone, or with a volume behind them.
_ALONE = re.compile(
    r"\W*(?:cover|contents(?: list)?|copyright|news|sponsors|inhalt|"
    r"about (?:the authors?|(?:this|the) journal))"
    r"(?:\W+(?:of\W+)?(?:vol(?:ume)?|issue|no)\b\W*\d.*|\W+\d[\d\W]*)?\W*",
    re.IGNORECASE,
)
# A notice about another paper. "Removal of microplastics", "Opioid withdrawal", "Retraction of the
# tongue" and "Correction-free decoding" are papers: a word that other titles begin with, too, needs
# a sign or the word "article" behind it.
_NOTICE = re.compile(
    r"\W*(?:(?:author|authors'|publisher|publisher.s|editorial|partial|amendments? and)\W+)*"
    r"(?:(?:corrections?(?: notice)?|corrigend(?:um|a)|errat(?:um|a)|addend(?:um|a)|"
    r"(?:editorial )?expression of concern|editorial note|"
    r"(?:statement|notice) of (?:retraction|withdrawal|removal|correction)|"
    r"retracted (?:article|paper) notice|"
    r"(?:retraction|withdrawal|removal) (?:notice|note|statement|announcement))"
    r"(?:\s*(?:to|for|of|on|regarding|in)\s*[^\w\s]|\s+(?:to|for|of|on)\s+\w|\s*[:—|]|\s+[–-]\s"
    r"|\.?\s*$)|"
    r"(?:retraction|withdrawal|removal)"
    r"(?:\s*(?:to|for|of|on)\s*[^\w\s]|\s+(?:to|for|of|on)\s+(?:the |this )?(?:article|paper)\b|"
    r"\s*[:—|]|\s+[–-]\s|\.?\s*$))",
    re.IGNORECASE,
)
# Words in front, or in brackets behind, that mark the paper itself.
_RETRACTED = re.compile(
    r"\W*(?:(?:this|the) (?:article|paper) (?:has been|is|was) )?"
    r"retracted(?:\s+(?:article|paper|chapter|manuscript|preprint))?\s*(?:[]):.—–|*-]|\s-)",
    re.IGNORECASE,
)
_WITHDRAWN = re.compile(
    r"\W*(?:(?:this|the) (?:article|paper) (?:has been|is|was) )?"
    r"(?:withdrawn(?:\s+(?:article|paper|manuscript|preprint|by\s+\w+))?\s*(?:[]):.—–|*-]|$)"
    r"|(?:temporary removal|removed)\s*:)",
    re.IGNORECASE,
)
_MARKED_BEHIND = re.compile(
    r"[(\[]\s*(?P<mark>retracted|withdrawn)(?:\s+(?:article|paper))?\s*(?:[.:;,][^()\[\]]{0,200})?"
    r"[)\]]\W*$",
    re.IGNORECASE,
)
# ("Errata" of a corrected text and "Correction of vision" are ordinary words in a long title.)
_ABOUT_A_METHOD = re.compile(
    r"\W*(?:error )?corrections? (?:of|for|to|in|on) (?!\W)(?!(?:the )?(?:article|paper)\b)"
    r"(?![^,:]{2,60}\bet al\b)",
    re.IGNORECASE,
)
LONGEST = 400


def is_no_paper(title: str) -> bool:
    """Whether a title names a part of an issue, or a notice about another paper."""
    start = title[:LONGEST]
    if _PARTS_OF_AN_ISSUE.fullmatch(start) or _ALONE.fullmatch(start):
        return True
    return bool(_NOTICE.match(start)) and not _ABOUT_A_METHOD.match(start)


def standing_of(title: str) -> Standing:
    """What the words in front of a title, or in brackets behind it, say of the paper."""
    start = title[:LONGEST]
    behind = _MARKED_BEHIND.search(title[-LONGEST:])
    marked = behind["mark"].lower() if behind else ""
    if marked == "retracted" or _RETRACTED.match(start):
        return "retracted"
    return "withdrawn" if marked or _WITHDRAWN.match(start) else ""
