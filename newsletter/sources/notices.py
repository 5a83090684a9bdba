"""Retractions, corrections and notices: what a title says of a paper, and what is no paper at all.

Publishers announce "Editorial Board" and "Correction: …" in the same lists as papers, and mark a
retracted paper by a word in front of its title. Pure.
"""

import re
from typing import Literal

Standing = Literal["", "retracted", "withdrawn"]

# The whole title, but for a year, a volume or a journal's name behind it.
_PARTS_OF_AN_ISSUE = re.compile(
    r"\W*(?:(?:inside |outside )?(?:front|back) (?:cover|matter)|cover (?:image|picture|feature)|"
    r"editorial board|editorial advisory board|issue information|issue highlights|in this issue|"
    r"table of contents|graphical table of contents|contents|masthead|title page|"
    r"subscription (?:information|page)|(?:author|subject|keyword|volume) index|"
    r"(?:list of|thanks? to|acknowledge?ments? (?:of|to)) (?:our )?(?:reviewers|referees)|"
    r"(?:instructions|information|guide(?:lines)?|guidance) (?:for|to) authors|"
    r"(?:announcements?|calendar(?: of events)?|advertisements?|aims and scope|copyright page|"
    r"publisher.s note|ed\. board))"
    r"(?:\W*(?:page|continued|\d{4}|(?:vol(?:ume)?|issue|no)\b.*|\d+.*|[-–—:|,(].*))?\W*",
    re.IGNORECASE,
)
# A notice about another paper. "Removal of microplastics", "Opioid withdrawal", "Retraction of the
# tongue" and "Correction-free decoding" are papers: a word that other titles begin with, too, needs
# a sign or the word "article" behind it.
_NOTICE = re.compile(
    r"\W*(?:(?:author|authors'|publisher|publisher.s|editorial|partial|amendments? and)\W+)*"
    r"(?:(?:corrections?|corrigend(?:um|a)|errat(?:um|a)|addend(?:um|a)|"
    r"(?:editorial )?expression of concern|editorial note|"
    r"(?:retraction|withdrawal|removal) (?:notice|note|statement|announcement))"
    r"(?:\s*(?:to|for|of|on|regarding|in)\s*\W|\s+(?:to|for|of|on)\s+\w|\s*[:—|]|\s+[–-]\s|\.?\s*$)|"
    r"(?:retraction|withdrawal|removal)"
    r"(?:\s*(?:to|for|of|on)\s*[^\w\s]|\s+(?:to|for|of|on)\s+(?:the |this )?(?:article|paper)\b|"
    r"\s*[:—|]|\s+[–-]\s|\.?\s*$))",
    re.IGNORECASE,
)
# Words in front that mark the paper itself.
_RETRACTED = re.compile(
    r"\W*retracted(?:\s+(?:article|paper|chapter|manuscript|preprint))?\s*(?:[]):.—–|-]|\s-)",
    re.IGNORECASE,
)
_WITHDRAWN = re.compile(
    r"\W*withdrawn(?:\s+(?:article|paper|manuscript|preprint|by\s+\w+))?\s*(?:[]):.—–|-]|$)",
    re.IGNORECASE,
)
# ("Errata" of a corrected text and "Correction of vision" are ordinary words in a long title.)
_ABOUT_A_METHOD = re.compile(
    r"\W*(?:error )?corrections? (?:of|for|to|in|on) (?!\W)(?!(?:the )?(?:article|paper)\b)",
    re.IGNORECASE,
)
LONGEST = 400


def is_no_paper(title: str) -> bool:
    """Whether a title names a part of an issue, or a notice about another paper."""
    start = title[:LONGEST]
    if _PARTS_OF_AN_ISSUE.fullmatch(start):
        return True
    return bool(_NOTICE.match(start)) and not _ABOUT_A_METHOD.match(start)


def standing_of(title: str) -> Standing:
    """What the words in front of a title say of the paper."""
    start = title[:LONGEST]
    if _RETRACTED.match(start):
        return "retracted"
    return "withdrawn" if _WITHDRAWN.match(start) else ""
