"""A relay's refusals: whether two say the same, and whether one asks to slow down."""

import re

LONGEST = 500
# A relay's words for "too fast", whatever the code: one alternative of a pattern, lower case.
RATE_WORDS = (
    r"rate exceeded|(?:sending|send|message|mail|connection|submission) rate|rate[ -]?limit"
    r"|throttl|too (?:fast|quickly)|slow down|unusual rate|too many (?:messages|e-?mails|mails)"
    r"|too many (?:\w+ )?connections|concurrent connections|exceeded the rate|number of connections"
)
_RATE = re.compile(RATE_WORDS)
# A name, an address, a link, or anything with a digit in it: what differs between two refusals
# for the same reason.
_PARTICULAR = re.compile(r"<[^>]{0,320}>|\[[^\]]{0,120}\]|\S*[@/]\S*|\S*\.\S*\w|\S*\d\S*")
_WORD = re.compile(r"[^\W\d_]+")
_ENHANCED = re.compile(r"^[245]\.\d{1,3}\.\d{1,3}\b")
# All refusals by policy (RFC 3463, X.7.x) are of one kind, whatever is said beside the code.
POLICY = "policy"
# Enough to tell refusals apart; what follows is an explanation or a link.
WORDS = 8


def kind_of(code: int, response: str) -> str:
    """The same text for refusals that differ in nothing but whom they name."""
    text = response[:LONGEST].strip().lower()
    enhanced = _ENHANCED.match(text)
    if enhanced and enhanced[0].startswith("5.7."):
        return POLICY
    words = _WORD.findall(_PARTICULAR.sub(" ", text))[:WORDS]
    return " ".join([str(code), enhanced[0] if enhanced else "", *words])


def asks_to_slow_down(code: int, response: str) -> bool:
    """Whether a 4xx says that mail comes too fast: 454, 421 with 4.7.x, or in words.

    Source: RFC 3463 (X.7.x), Amazon SES ("454 Throttling failure"), Google ("421 4.7.28").
    """
    if not 400 <= code < 500:
        return False
    text = response[:LONGEST].strip().lower()
    return code == 454 or (code == 421 and text.startswith("4.7.")) or bool(_RATE.search(text))
