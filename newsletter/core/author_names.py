"""Author strings, as sources write them, to names as people read them. Pure.

A name comes out with the given name first: ``Jane K. Rowe``, ``C. King Jr.``, ``ATLAS
Collaboration``. Affiliations, footnote marks, degrees, addresses and "et al." are left out.
"""

import html
import re
from collections.abc import Iterator

# A line names some thousands of authors at most; more is cut.
LONGEST_LINE = 100_000
_GROUPS = (
    r"collaborations?|kollaboration(?:en)?|collab\.?|consorti(?:um|a)|groups?|teams?|networks?|"
    r"committees?|initiative|investigators|society|association|institut(?:e|ion|o)s?|university|"
    r"universität|department|administration|agency|cent(?:er|re)s?|council|foundation|"
    r"organi[sz]ation|alliance|task force|program(?:me)?|project|laborator(?:y|ies)|partnership|"
    r"registry|survey|company|corporation|collaborators|inc\.?|ltd\.?|gmbh"
)
GROUP = re.compile(rf"\b(?:{_GROUPS})(?!\w)", re.I)
_SUFFIX = re.compile(r"(?:jr|sr)\.?|i{2,3}|iv|vi{1,3}|[2-4](?:nd|rd|th)|junior|senior", re.I)
_DEGREE = re.compile(
    r"(?:M\.?D|Ph\.?\s?D|M\.?Sc|B\.?Sc|M\.?P\.?H|D\.?Phil|Dr\.?P\.?H|M\.?B\.?B\.?S|MBChB|R\.?N|"
    r"D\.?V\.?M|Pharm\.?D|FRCP|FACS|FRCS|MRCP|M\.?B\.?A|B\.?A|M\.?A|Sc\.?D|Esq)\.?"
)
_TITLE = re.compile(r"^(?:(?:Prof(?:essor)?|Dr|Mr|Mrs|Ms|Sir|Dame)\.?\s+)+(?=\S+\s)", re.I)
_OPENING = re.compile(r"^\s*(?:authors?|author\(s\)|by|creators?)\s*:\s*|^\s*by\s+(?=[A-Z])", re.I)
_OTHERS = re.compile(
    r"[\s,;&]{0,5}(?:\band\b\s*)?(?:\bet\.?\s+al(?:ii|ia)?\b\.?|\b(?:and|&)\s+others\b\.?"
    r"|\band\s+\d+\s+(?:more|others?)\b|\+\s*\d+\s+more\b|\bu\.\s?a\.$|…|\.\.\.)[\s.]*",
    re.I,
)
_EMAIL = re.compile(r"<?(?:mailto:)?[^\s<>,;()@]{1,64}@[^\s<>,;()@]{1,250}\.\w{2,20}>?")
_WEB = re.compile(
    r"(?:orcid(?:\s*id)?\s*:?\s*)?(?:https?://\S+|\b\d{4}-\d{4}-\d{4}-\d{3}[\dX]\b)", re.I
)
# What marks an affiliation or a footnote behind a name.
_SUPERSCRIPTS = "⁰¹²³⁴⁵⁶⁷⁸⁹ᵃᵇᶜᵈᵉᶠᵍʰⁱʲᵏˡᵐⁿᵒᵖʳˢᵗᵘᵛʷˣʸᶻ⁎⁺⁽⁾˒ʼ"
_MARKS = re.compile(
    r"\^\s*\{[^{}]{0,60}\}|\^\s*\(?[\w*†‡,]{1,12}\)?"
    rf"|[{_SUPERSCRIPTS}](?:[{_SUPERSCRIPTS},*\s]*[{_SUPERSCRIPTS}*])?"
    r"|[*∗⁎†‡§¶#✉‖]+|(?<=[^\W\d_])[\s]*\d+(?:\s*[,/&+-]\s*(?:\d+\b|[*†‡]))*(?=\s*(?:[,;]|$|and\b|&))"
)
_ALONE = re.compile(r"[\W\d_]*(?:[a-h]|[Cc]orresponding author)?[\W\d_]*")
_BEHALF = re.compile(
    r"[\s,;:–—-]{0,5}\b(?:for\s+and\s+)?(?:on\s+behalf\s+of|in\s+representation\s+of|representing|"
    r"for|and|with|from|in\s+collaboration\s+with)\s+(?:all\s+)?(?:(?:the|members\s+of)\s+)*(?=\S)",
    re.I,
)
_ARTICLE = re.compile(r"^(?:the|members of(?: the)?)\s+", re.I)
_AND = re.compile(r"\s*(?:,\s*)?(?:\b(?:and|und|et)\s+|[&＆]\s*|(?<=\s)(?:и|та)\s+)", re.I)
_JOINING = re.compile(r"\s*[;；؛|•\n\r\t]+\s*|\s+[·/]\s+")
_COMMA = re.compile(r"\s*[,，、،]\s*")
_PARTICLE = re.compile(
    r"^(?:van|von|de|del|della|der|den|di|da|dos|du|el|al|la|le|ter|ten|zu|bin)\b"
)
_DOTTED = re.compile(r"(?!(?i:jr|sr)\.)(?:[^\W\d_]{1,2}\.[\s-]*)+(?:[^\W\d_]\.?)?")
_RUN = re.compile(r"[A-Z]{1,3}|[A-Z]-[A-Z]")
_INITIALS = re.compile(r"(?:[^\W\d_]{1,2}\.[ -]*|[^\W\d_](?:[ -]+|$)){1,5}|[A-Z]{1,3}")
_CJK = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]")


# Nearly every name is letters and full stops, and ends in a family name: nothing to be done, in a
# fifth of the time. A word of these asks for a closer look.
_PLAIN = re.compile(r"[A-Za-z][A-Za-z .'-]*[a-z]")
_ODD = frozenset(
    {"collaboration", "collaborations", "kollaboration", "kollaborationen", "collab",
     "collaborators", "consortium", "consortia", "group", "groups", "team", "teams", "network",
     "networks", "committee", "committees", "initiative", "investigators", "society",
     "association", "institute", "institutes", "institut", "instituts", "instituto", "institutos",
     "institution", "institutions", "university", "department", "administration", "agency",
     "center", "centers", "centre", "centres", "council", "foundation", "organization",
     "organisation", "alliance", "force", "program", "programme", "project", "laboratory",
     "laboratories", "partnership", "registry", "survey", "company", "corporation", "inc", "ltd",
     "gmbh", "and", "und", "et", "al", "alii", "alia", "others", "for", "on", "from", "with", "by",
     "in", "representing", "dr", "dr.", "prof", "prof.", "professor", "sir", "dame", "mr", "mr.",
     "mrs", "mrs.", "ms", "ms.", "junior", "senior", "jr", "sr", "mbbs", "mbchb",
     "frcp", "facs", "frcs", "mrcp", "dphil", "drph", "pharmd", "orcid", "author", "authors"}
)  # fmt: skip


def _is_plain(text: str) -> bool:
    if not text.isascii() or not _PLAIN.fullmatch(text):
        return False
    last = text.rpartition(" ")[2]
    if len(last) < 4 and not last[1:].islower():
        return False
    return "." not in last and _ODD.isdisjoint(text.lower().replace("-", " ").split())


def names_in(line: str) -> list[str]:
    """The authors that one string names, in order, each once.

    They may be joined by semicolons, commas, "and", line ends; the family name may come first
    ("Doe, J., Roe, R."); a collaboration that they write for is a name of its own.
    """
    line = _prepared(line)
    line, groups = _without_brackets(line)
    leading, line = _led(line)
    found: list[str] = []
    for part in _JOINING.split(line):
        found += _of_part(part)
    return _unique([*leading, *found, *groups])


def one_name(text: str) -> list[str]:
    """The author of a string that a source keeps for one: one name, or none.

    "Doe, Jane" is turned, "Jane Doe (for the ATLAS Collaboration)" gives both.
    """
    if _is_plain(text):
        return [text]
    text = _prepared(text)
    text, groups = _without_brackets(text)
    if GROUP.search(text):
        first = text.split(",")[0]
        if first != text and not GROUP.search(first) and len(first.split()) > 1:
            # A person and where they work.
            return _unique([*_turned(first), *groups])
        person, group = _on_behalf(text)
        return _unique([*_turned(person), group, *groups])
    if ";" in text or re.search(r"[^\W\d_]{2,}\s+and\s+[^\W\d_]", text, re.I):
        return _unique([*names_in(text), *groups])
    return _unique([*_turned(text), *groups])


def is_suffix(word: str) -> bool:
    """Whether the word is "Jr.", "III" or the like."""
    return _SUFFIX.fullmatch(word) is not None


def _prepared(text: str) -> str:
    """Without addresses, marks, titles and "et al."."""
    # Some feeds escape twice.
    text = re.sub(r"[^\S\n]+", " ", html.unescape(text[:LONGEST_LINE]))
    text = _WEB.sub(" ", text)
    if "@" in text:
        without = _EMAIL.sub(" ", text).strip()
        # "jane@example.org (Jane Doe)", as RSS wants it.
        inside = re.fullmatch(r"\(([^()]*)\)", without)
        text = inside[1] if inside else without
    text = _OPENING.sub("", text)
    return _OTHERS.sub(" ; ", text) if _OTHERS.search(text) else text


def _without_brackets(text: str) -> tuple[str, list[str]]:
    """The text without what stands in brackets, however deep; and collaborations named there."""
    if not re.search(r"[(\[{（［]", text):
        return text, []
    kept: list[str] = []
    groups: list[str] = []
    depth = start = 0
    for place, sign in enumerate(text):
        if sign in "([（［":
            depth += 1
            start = place + 1 if depth == 1 else start
        elif sign in ")]）］":
            if depth == 1 and _opens_affiliations(
                "".join(kept[-9:]), text[start:place], text[place : place + 40]
            ):
                break
            if depth == 1:
                groups += _groups(text[start:place])
                kept.append(" ")
            depth = max(0, depth - 1)
        elif not depth:
            kept.append(sign)
    else:
        place = len(text)
    if depth and place == len(text):
        # Never closed: what follows the next comma is names again.
        rest = re.split(r"[,;]", text[start:], maxsplit=1)
        kept.append("," + re.sub(r"[()\[\]（）［］]", " ", rest[1]) if len(rest) > 1 else "")
    return "".join(kept), groups


def _opens_affiliations(before: str, inside: str, after: str) -> bool:
    """Whether "(1)" stands before its text, as in "S. Roe (2), (1) MIT, (2) Stanford"."""
    number = re.fullmatch(r"\s*(?:\d+|[a-z])\s*", inside)
    return bool(number and re.search(r"[,;]\s*$", before) and re.match(r"[)\]]\s*[^\W\d_]", after))


def _groups(text: str) -> list[str]:
    """Collaborations in a bracket; an affiliation is none."""
    said = _BEHALF.sub("", f" {text}", count=1) if _BEHALF.match(f" {text}") else text
    behalf = said is not text
    if not behalf and not re.search(r"\b(?:collab|consorti|study group|working group)", text, re.I):
        return []
    return [_ARTICLE.sub("", name.strip()) for name in _divided(said) if GROUP.search(name)]


def _led(line: str) -> tuple[list[str], str]:
    """The collaborations before a colon, and the rest: "Euclid Collaboration: A. Smith, …"."""
    head, colon, rest = line.partition(":")
    if not colon or not GROUP.search(head) or not re.search(r"[^\W\d_]", rest):
        return [], line.rstrip(": ")
    names = [name for part in _COMMA.split(head) for name in _divided(part)]
    return [_tidy(name) for name in names], rest


def _of_part(part: str) -> list[str]:
    """Names joined by commas and "and"."""
    part = _without_marks(part)
    pieces = [piece for piece in _COMMA.split(part) if piece.strip()]
    pieces = [piece for piece in pieces if not _ALONE.fullmatch(piece)]
    pieces = _with_suffixes(pieces)
    if turned := _family_first(pieces):
        return turned
    if len(pieces) == 1 and GROUP.search(pieces[0]):
        person, group = _on_behalf(pieces[0])
        if person:
            return [*_of_part(person), group]
    names = [name for piece in pieces for name in _divided(piece)]
    found: list[str] = []
    runs = len(names) > 1 and all(_is_family_and_initials(name) for name in names)
    for name in names:
        if GROUP.search(name):
            person, group = _on_behalf(name)
            found += [_tidy(person), group]
        else:
            found.append(_initials_first(_tidy(name)) if runs else _dotted_first(_tidy(name)))
    return found


def _without_marks(text: str) -> str:
    """Without what leads to affiliations and footnotes; a number may stand before a star."""
    return _MARKS.sub(" ", _MARKS.sub(" ", text))


def _family_first(pieces: list[str]) -> list[str]:
    """Names out of "Doe, J., Roe, R." or "Doe, Jane and Roe, John"; none for another order."""
    joined = ", ".join(pieces)
    by_and = [part for part in re.split(r"\s*,?\s+(?:and|und|&)\s+", joined, flags=re.I) if part]
    if len(by_and) > 1 and all(part.count(",") == 1 for part in by_and):
        return [_family_last(part) for part in by_and]
    flat = [piece for part in by_and for piece in _COMMA.split(part) if piece]
    families, given = flat[::2], flat[1::2]
    if not given or len(flat) % 2 or any(GROUP.search(piece) for piece in flat):
        return []
    initials = all(_INITIALS.fullmatch(_bare(name)) for name in given)
    # Of one pair the given names may be several: "Gysi, Deisy Morselli".
    plain = (len(flat) == 2 or all(" " not in _bare(name) for name in given)) and all(
        " " not in _bare(name) or _PARTICLE.match(name) for name in families
    )
    if _CJK.search(joined) or not (initials or plain):
        return []
    if len(by_and) > 1 and len(flat) == len(by_and):
        # "Doe and Roe": one word each, and no order to turn.
        return []
    pairs = zip(families, given, strict=True)
    return [_family_last(f"{family}, {first}") for family, first in pairs]


def _bare(given: str) -> str:
    """A given name without the suffix behind it."""
    words = given.split()
    return " ".join(words[:-1]) if len(words) > 1 and _SUFFIX.fullmatch(words[-1]) else given


def _turned(text: str) -> list[str]:
    """One person's name, the given name first; as a list of one, or empty."""
    text = _without_marks(text)
    pieces = [piece for piece in _COMMA.split(text) if piece and not _ALONE.fullmatch(piece)]
    pieces = _with_suffixes(pieces)
    if len(pieces) == 2:
        return [_family_last(", ".join(pieces))]
    return [_dotted_first(_tidy(" ".join(pieces)))] if pieces else []


def _family_last(text: str) -> str:
    """``van der Poe, A. B. Jr.`` → ``A. B. van der Poe Jr.``"""
    family, _, given = text.partition(",")
    words = given.split()
    if len(words) > 1 and _SUFFIX.fullmatch(words[-1]):
        return _tidy(f"{' '.join(words[:-1])} {family} {words[-1]}")
    last = family.split()
    if len(last) > 1 and _SUFFIX.fullmatch(last[-1]):
        return _tidy(f"{given} {' '.join(last[:-1])} {last[-1]}")
    return _tidy(f"{given} {family}")


def _with_suffixes(pieces: list[str]) -> list[str]:
    """Pieces with "Jr." and "III" at the name before them; degrees left out."""
    kept: list[str] = []
    for piece in pieces:
        bare = piece.strip()
        opens = re.match(r"((?:jr|sr)\.?)\s+(?:and|&)\s+(.+)", bare, re.I)
        if kept and _DEGREE.fullmatch(bare) and len(kept[-1].split()) > 1:
            continue
        if kept and opens:
            kept[-1] = f"{kept[-1]} {opens[1]}"
            kept.append(opens[2])
        elif kept and _SUFFIX.fullmatch(bare):
            kept[-1] = f"{kept[-1]} {bare}"
        else:
            kept.append(bare)
    return kept


def _divided(text: str) -> list[str]:
    """The names that "and" joins; of one organisation it is a part."""
    sides = [side.strip() for side in _AND.split(text) if side.strip()]
    if len(sides) < 2 or not GROUP.search(text):
        return sides or []
    if all(GROUP.search(side) or len(side.split()) > 1 for side in sides):
        return sides
    return [text.strip()]


def _on_behalf(text: str) -> tuple[str, str]:
    """A person, and the collaboration that they write for: either may be empty."""
    for found in _BEHALF.finditer(text):
        person, group = text[: found.start()].strip(" ,;:"), text[found.end() :]
        if GROUP.search(group) and not GROUP.search(person) and _is_a_person(person, found[0]):
            return person, _tidy(group)
    return "", _tidy(text)


def _is_a_person(text: str, joint: str) -> bool:
    """Whether the words before "for" are a name, not the begin of an organisation's."""
    if not text:
        return True
    said = joint.split()
    explicit = len(said) > 1  # "for the", "on behalf of"
    return explicit or (len(text.split()) > 1 and "and" in said)


def _is_family_and_initials(name: str) -> bool:
    family, _, initials = name.strip().rpartition(" ")
    if " " in family and len(initials) > 1 and _SUFFIX.fullmatch(initials):
        return False
    return bool(family and re.search(r"[^\W\d_]{2}", family)) and (
        _RUN.fullmatch(initials) is not None or _DOTTED.fullmatch(initials) is not None
    )


def _initials_first(name: str) -> str:
    """``Doe JA`` → ``J. A. Doe``."""
    family, _, initials = name.rpartition(" ")
    if not _RUN.fullmatch(initials):
        return _dotted_first(name)
    return f"{spaced(initials)} {family}"


def spaced(initials: str) -> str:
    """``JA`` → ``J. A.``, ``J-P`` → ``J.-P.``; a name stays as it is."""
    if not _RUN.fullmatch(initials):
        return initials
    return re.sub(r"([A-Z])(-?)", r"\1.\2 ", initials).replace("- ", "-").strip()


def _dotted_first(name: str) -> str:
    """``Иванов И. И.`` → ``И. И. Иванов``; other names as they are."""
    words = name.split()
    first = next((at for at, word in enumerate(words) if _DOTTED.fullmatch(word)), 0)
    family, initials = words[:first], words[first:]
    if not family or not all(_DOTTED.fullmatch(word) for word in initials):
        return name
    if any(_SUFFIX.fullmatch(word) for word in initials):
        return name
    return " ".join([*initials, *family])


def _tidy(name: str) -> str:
    """One name, clean at both ends, without title and degrees."""
    name = " ".join(name.replace("\xa0", " ").split()).strip(" ,;:/–—-*")
    if not GROUP.search(name):
        name = _TITLE.sub("", name)
        words = name.split()
        while len(words) > 2 and _DEGREE.fullmatch(words[-1]):
            words.pop()
        name = " ".join(words)
    return re.sub(r"^(?:and|&)\s+", "", name, flags=re.I)


def _unique(names: list[str]) -> list[str]:
    return list(dict.fromkeys(_named(names)))


def _named(names: list[str]) -> Iterator[str]:
    """Those that have letters; "et al." and single marks are no names."""
    for name in names:
        if re.search(r"[^\W\d_]", name) and name.casefold() not in {
            "et al",
            "et al.",
            "others",
            "and",
        }:
            yield name
