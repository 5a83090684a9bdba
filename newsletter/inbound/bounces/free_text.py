"""Reports in free text: which addresses failed, judged by their position.

No table of vendors: whatever the wording, a failed address starts a line or follows words of
failure, stands under a heading that announces it, and is whom the returned message was for;
other addresses are the sender's, the keepers', or quoted. Each of these is evidence with a
weight; those with the most win.
"""

import re
from collections.abc import Collection
from dataclasses import dataclass, replace

from newsletter.inbound.bounces.addresses import ADDRESS, is_role, tidy

LONGEST_LETTER = 24_000
MOST_LINES = 400
MOST_FOUND = 200
# Half a line under a heading is enough evidence; an address somewhere in a sentence is not.
ENOUGH = 4
# Recipients of one report look alike; what scores this much less is something else.
SPREAD = 2

# Between words and an address.
_OPEN = r"[\s\[\"'<(]*"

_LEADS = re.compile(
    r"^[\s>*•·\"'<(\[{|-]*(?:\d{1,3}[.)]\s+)?(?:smtp:|mailto:)?[\"'<(\[]*$", re.IGNORECASE
)
_ALONE = re.compile(r"^[\s>\"'\])}*:;,.|-]*$")
_HEADING = re.compile(
    r"recipient|address|deliver|reach|reject|fail|return|unknown|user|problem|error|receive|"
    r"following|empfäng|destinat|adress|indirizz|recapit|entreg|получател|адрес|доставл|宛先|"
    r"収件|アドレス|メール|地址|收件|수신|geadresseerde|bezorg|adresat|dostarcz|příjem|doruč|mottagar|"
    r"modtager|mottaker|lever|vastaanottaj|toimit|alıcı|teslim|címzett|kézbesít|παραλήπτ|παράδοσ",
    re.IGNORECASE,
)
_FAILING = re.compile(
    r"(?:deliver\w*|delevery|undeliverable|recipient(?:\(s\))?|rcpt to|user(?:id)?|mailbox|"
    r"account|address(?:ed|es)?(?:\(?es\)?)?|attempts|unknown|invalid|rejected|refused|"
    r"reach(?:ed)?|relayed|failed|problem with|bounced?|gateway for|sent|message|mail|error-for|"
    r"intended for|to user|full|size)"
    r"\s*(?:\([^)\n]{0,30}\))?"
    r"\s*(?:to|for|of|address|is|in|name|by)?\s*(?:address|user|recipient|account|mailbox)?"
    rf"\s*[:=：]?{_OPEN}(?:smtp:)?[\"'<(]*$",
    re.IGNORECASE,
)
_REPLY_BEFORE = re.compile(rf"(?:^|\s)[45]\d\d[ -](?:[45]\.\d{{1,3}}\.\d{{1,3}}\s)?{_OPEN}$")
_REFUSED_AFTER = re.compile(
    r"^[\s>\"')\]]*(?:[:;,.]{1,3}|-+)?\s*\(?(?:\[?[45]\d\d\b|[45]\.\d|"
    r"was (?:not|unde|rej|auto)|is (?:not|un|full|over)|has (?:been |exce|no)|could|cannot|user|"
    r"unknown|no such|mailbox|invalid|reject|fail|delivery fail|account|deferred|host|"
    r"on (?:mon|tue|wed|thu|fri|sat|sun)|error|service|over quota|action|does)",
    re.IGNORECASE,
)
_NOT_IT = re.compile(
    r"(?:^|[\s(\[])(?:from|sender|mail from|envelope-from|return-path|reply-to|message-id|contact|"
    r"help|assistance|questions?|cc|x-\w[\w-]*|mailto|postmaster|sent by|generating server|"
    r"in-reply-to|references|de|von|de la part|assistenza|write to|e-?mail us|"
    r"send (?:an? )?(?:e-?)?mail to|forward\w* to|please (?:contact|e-?mail|send)|by|received)"
    rf"\s*[:=]?{_OPEN}$",
    re.IGNORECASE,
)
_SECOND_NAME = re.compile(
    r"(?:expanded from|generated from|originally|alias(?:ed)?(?: of)?|forwarded from|orig_to=|"
    rf"instead of)\s*[:=]?{_OPEN}$",
    re.IGNORECASE,
)
_IN_URL = re.compile(r"(?:https?://|www\.)\S*$")


@dataclass(frozen=True, slots=True)
class Found:
    """An address that failed, and the words of the letter about it."""

    address: str
    words: str


def failed_addresses(
    letter: str, *, own: Collection[str], returned_to: Collection[str]
) -> list[Found]:
    """The addresses ``letter`` reports as failed.

    ``own`` are addresses of the sender, ``returned_to`` whom the returned message was for;
    both lower-case.
    """
    lines = letter[:LONGEST_LETTER].split("\n")[:MOST_LINES]
    best: dict[str, _Candidate] = {}
    for number, line in enumerate(lines):
        if "@" not in line:
            continue
        heading = _line_above(lines, number)
        for found in ADDRESS.finditer(line):
            address = tidy(found[0])
            key = address.lower()
            before = line[: found.start()]
            score = _evidence(before, line[found.end() :], heading)
            if key in returned_to:
                score += SPREAD
            elif key in own:
                # Mail to oneself fails, too; but anybody else named as clearly comes first.
                score -= 3
            elif is_role(address):
                score -= 6
            known = best.get(key)
            if known is None:
                best[key] = _Candidate(address, number, score, bool(_SECOND_NAME.search(before)))
            elif score > known.score:
                best[key] = replace(known, score=score)
        if len(best) > MOST_FOUND:
            break
    return _winners(list(best.values()), lines)


@dataclass(frozen=True, slots=True)
class _Candidate:
    address: str
    line: int
    score: int
    # "(expanded from …)": the name mailed to, of use only when the other one is kept secret.
    is_second: bool


def _winners(candidates: list[_Candidate], lines: list[str]) -> list[Found]:
    good = [each for each in candidates if each.score >= ENOUGH and not each.is_second]
    good = good or [each for each in candidates if each.is_second]
    top = max((each.score for each in good), default=0)
    chosen = [each for each in good if each.score >= top - SPREAD]
    ends = [each.line for each in chosen[1:]] + [len(lines)]
    return [
        Found(
            each.address, "\n".join(lines[each.line : max(each.line + 1, min(end, each.line + 15))])
        )
        for each, end in zip(chosen, ends, strict=False)
    ]


def _line_above(lines: list[str], number: int) -> str:
    """The nearest line above that says something and holds no address."""
    for above in range(number - 1, max(-1, number - 12), -1):
        line = lines[above].strip()
        if line and "@" not in line:
            return line
    return ""


def _evidence(before: str, after: str, heading: str) -> int:
    score = 0
    leads = bool(_LEADS.match(before[-80:])) and len(before) < 40
    before = before[-120:]
    if leads:
        score += 3
        score += 2 if _ALONE.match(after) else 0
        score += 2 if heading and _HEADING.search(heading) else 0
    elif _FAILING.search(before):
        score += 4
    elif _REPLY_BEFORE.search(before):
        score += 3
    if _REFUSED_AFTER.match(after):
        score += 2
    if not leads and _NOT_IT.search(before):
        score -= 5
    if _IN_URL.search(before):
        score -= 8
    if ADDRESS.match(after.lstrip(" <\"'")) and after[:2].strip() in {"<", ""}:
        # "name@there <address@here>": the first is a name for show.
        score -= 4
    return score
