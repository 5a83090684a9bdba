"""Status codes (RFC 3463), reply codes (RFC 5321), and words that tell permanent from transient."""

import re

from newsletter.core.models import Permanence

# Codes come where a server's words begin; reading thousands of lines finds no others.
LONGEST_DIAGNOSTIC = 3000

_STATUS = re.compile(r"(?<![\d.])([245])\.(\d{1,3})\.(\d{1,3})(?![\d.]*\d)")
# A reply code stands at the start, or after what introduces a server's words.
_REPLY = re.compile(r"(?<![\w.])[245]\d\d(?=[\s\-#>:;,.)\]'\"]|$)")
_BEFORE_REPLY = re.compile(
    r"(?:^|\n|[:;(\[<>'\"#=-]|said|code|error|smtp|returned|reason)[\s#(\[<'\"]{0,5}$",
    re.IGNORECASE,
)
# One of these stands in whatever `_ONLY_WARNS` and `_STILL_TRYING` find; asking for them is twenty
# times faster.
_TRYING_HINTS = (
    "will ",
    "still ",
    "yet ",
    "postponed",
    "delayed",
    "resend",
    "re-send",
    "trying",
    "temporary",
    "warning",
    "notification",
    "wird ",
    "noch nicht",
    "sera ",
    "encore",
    "seguir",
    "продолжит",
)
# A letter that says this of itself reports no failure, whatever it threatens for later.
_ONLY_WARNS = re.compile(
    r"\bonly a (?:warning|notification about a delay)|warning (?:message )?only\b"
)
_STILL_TRYING = re.compile(
    r"will (?:be )?(?:retr|continue|keep|try|attempt)|delivery attempts will continue|"
    r"still (?:being retried|trying|in the queue)|not yet (?:been|received|be)|"
    r"(?:has been|was|is|been) (?:postponed|delayed)|"
    r"do not need to resend|no need to re-?send|delayed mail|keep trying|"
    r"temporary failure report|wird weiter versucht|noch nicht zugestellt|sera retent|"
    r"n'a pas encore été|se seguir[áa] intentando|продолжит"
)
_GAVE_UP = re.compile(
    r"will not (?:be )?(?:retr|continue|try)|not be retried|gave up|giv(?:en|ing) up|permanent|"
    r"no further (?:attempts|delivery)|message will be deleted|could not be delivered for|"
    r"abandon|aborted|will not try"
)


def status_in(text: str) -> str:
    """The most telling enhanced status code in ``text``: the first with a detail, else any."""
    vague = ""
    for found in _STATUS.finditer(text[:LONGEST_DIAGNOSTIC]):
        if found[2] != "0" or found[3] != "0":
            return found[0]
        vague = vague or found[0]
    return vague


def reply_in(text: str) -> str:
    """The SMTP reply code (RFC 5321 §4.2) in ``text``; refusals win over other replies."""
    text = text[:LONGEST_DIAGNOSTIC]
    codes = [
        found[0]
        for found in _REPLY.finditer(text)
        if _BEFORE_REPLY.search(text, max(0, found.start() - 16), found.start())
    ]
    return next((code for code in codes if code[0] in "45"), codes[0] if codes else "")


def is_still_trying(text: str) -> bool:
    """Whether a letter only warns of a delay."""
    lower = " ".join(text.lower().split())  # sentences are broken anywhere, or stand in a box
    if not any(hint in lower for hint in _TRYING_HINTS):
        return False
    if _ONLY_WARNS.search(lower):
        return True
    return bool(_STILL_TRYING.search(lower)) and not _GAVE_UP.search(lower)


def permanence_of(status: str, reply: str) -> Permanence:
    """By the status code's first digit, else the reply's; a mail that gave up says permanent."""
    digit = status[:1] or reply[:1]
    if status[2:] == "0.0" and status[:1] == "5" and reply[:1] == "4":
        # "5.0.0" is what gateways write when they know nothing; the server's own reply does.
        digit = "4"
    return Permanence.TRANSIENT if digit == "4" else Permanence.PERMANENT
