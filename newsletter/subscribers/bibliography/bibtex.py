"""BibTeX as reference managers and people write it, in one pass. Pure.

bibtexparser drops an entry whose key or field stands twice, or that lacks a comma; here each
character is looked at once, what is broken costs a field, and no entry goes without a word.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from newsletter.subscribers.bibliography.entries import BREAKS_OFF, LONGEST_ENTRY, TOO_LONG, Entry

# Abbreviations of journals: they stand before the entries that use them.
MOST_ABBREVIATIONS = 5000
# Entries, abbreviations and comments together; the largest library has some 5,000 of each.
MOST_BLOCKS = 15_000
# A start at the beginning of a line ends what was left open before it.
_TOKEN = re.compile(
    r"\\."
    r"|(?P<line>^[ \t]{0,20})?@(?P<kind>[A-Za-z]{1,40})\s{0,20}(?P<opening>[{(])"
    r"|(?P<brace>[{})])",
    re.MULTILINE | re.DOTALL,
)
# Inside an entry that never ends, others are recognised by their key.
_SWALLOWED = re.compile(r"@[A-Za-z]{1,40}\s{0,20}[{(]\s{0,20}[^\s,={}@]{0,100}\s{0,20},")
_BRACES = re.compile(r"\\.|[{}]", re.DOTALL)
_QUOTES = re.compile(r'\\.|[{}"]', re.DOTALL)
_NAME = re.compile(r"[\s,;}]{0,200}(?P<name>[A-Za-z][\w:.+/-]{0,60})\s{0,20}=\s{0,20}")
_KEY = re.compile(
    r"\s{0,200}(?:(?P<key>[^\s,={}]{1,200})(?:\s{0,20},|\s{0,20}(?=\n)|\s{1,20}(?=[A-Za-z]\w*\s*=))"
    r"|(?P<spaced>[^,={}\n]{0,200}),)"
)
_BARE = re.compile(r'[^\s,#{}"]{1,200}')
_JOIN = re.compile(r"\s{0,20}#\s{0,20}")
# A field on a line of its own inside another's value: that value was never closed.
_FIELD_INSIDE = re.compile(r",[ \t]*\n[ \t]*[A-Za-z][\w-]{0,60}[ \t]*=[ \t]*[{\"]")
_END_OF_VALUE = re.compile(r'[}"]?[ \t]*,?[ \t]*(?=\n[ \t]*(?:[A-Za-z][\w-]{0,60}[ \t]*=|[})])|\Z)')
_GOES_ON = re.compile(r"\s{0,20},?\s{0,20}[A-Za-z][\w:.+/-]{0,60}\s{0,20}=\s{0,20}[{\"\w]")
_NO_ENTRIES = frozenset({"comment", "preamble", "string", "xdata", "set", "control"})
_NO_PAPERS = frozenset({"proceedings", "mvproceedings", "periodical"})
# What an entry takes over from the one that it refers to; a DOI there is the whole volume's.
_INHERITED = ("title", "journal", "journaltitle")


@dataclass(frozen=True, slots=True)
class _Block:
    start: int
    kind: str
    body: str  # from behind the opening brace to the next block
    closed_at: int  # in the body; -1 where no brace closes it
    commented: bool = False


def entries(text: str) -> Iterator[tuple[int, Entry]]:
    """Each entry with its place in ``text``; the line is left at 0."""
    abbreviations: dict[str, str] = {}
    found: list[tuple[int, str, Entry]] = []
    by_key: dict[str, Mapping[str, str]] = {}
    for number, block in enumerate(_blocks(text)):
        if number == MOST_BLOCKS:
            what = "nothing from here on was read: there are too many comments and abbreviations"
            found.append((block.start, "", Entry(0, unusable=what)))
            break
        if block.kind == "string":
            if len(abbreviations) < MOST_ABBREVIATIONS and len(block.body) <= LONGEST_ENTRY:
                abbreviations |= _fields(block.body, 0, abbreviations)
            continue
        if block.kind in _NO_ENTRIES - {"xdata"}:
            continue
        key, entry = _entry(block, abbreviations)
        if key:
            by_key.setdefault(key, entry.fields)
        if block.kind != "xdata":
            found.append((block.start, block.kind, entry))
    for start, kind, entry in found:
        yield start, _whole(kind, entry, by_key)


def _whole(kind: str, entry: Entry, by_key: Mapping[str, Mapping[str, str]]) -> Entry:
    if entry.unusable:
        return entry
    if kind in _NO_PAPERS:
        return replace(entry, unusable="it is a volume of proceedings, not a paper")
    fields = dict(entry.fields)
    for reference in ("crossref", "xdata"):
        other = by_key.get(fields.get(reference, "").split(",")[0].strip().lower(), {})
        taken = _INHERITED if reference == "crossref" else tuple(other)
        fields |= {name: other[name] for name in taken if name in other and name not in fields}
    return replace(entry, fields=fields)


def _blocks(text: str) -> Iterator[_Block]:
    """Each entry from its @ to the next one, those too that an open one has swallowed."""
    for block in _cut(text):
        if block.closed_at >= 0:
            yield block
            continue
        starts = [found.start() for found in _SWALLOWED.finditer(block.body)]
        if not starts:
            yield block
            continue
        yield replace(block, body=block.body[: starts[0]])
        offset = block.start + text[block.start :].find(block.body[:1000] or "@")
        for start, end in zip(starts, [*starts[1:], len(block.body)], strict=True):
            for inner in _cut(block.body[start:end]):
                yield replace(inner, start=offset + start + inner.start)


def _cut(text: str) -> Iterator[_Block]:
    start, behind, kind, depth, closed_at = -1, 0, "", 0, -1
    commented = by_bracket = False

    def block(end: int) -> _Block:
        closed = closed_at - behind if closed_at >= 0 else -1
        return _Block(start, kind, text[behind:end], closed, commented)

    for token in _TOKEN.finditer(text):
        begins = token["kind"] and (depth == 0 or (token["line"] is not None and kind != "comment"))
        if begins:
            if start >= 0:
                yield block(token.start())
            start = token.start("kind") - 1
            behind, kind, depth, closed_at = token.end(), token["kind"].lower(), 1, -1
            by_bracket = token["opening"] == "("
            line = text.rfind("\n", max(0, start - 200), start) + 1
            commented = text[line:start].lstrip().startswith("%")
        elif not depth:
            continue
        elif token["brace"] == ")":
            if by_bracket and depth == 1:
                depth, closed_at = 0, token.start()
        elif token["opening"] == "{" or token["brace"] == "{":
            depth += 1
        elif token["brace"] == "}" and not (by_bracket and depth == 1):
            depth -= 1
            if not depth:
                closed_at = token.start()
    if start >= 0:
        yield block(len(text))


def _entry(block: _Block, abbreviations: Mapping[str, str]) -> tuple[str, Entry]:
    """The key in lower case, and the entry."""
    size = block.closed_at if block.closed_at >= 0 else len(block.body)
    if size > LONGEST_ENTRY:
        return "", Entry(0, unusable=TOO_LONG)
    if block.commented:
        return "", Entry(0, unusable="it is commented out with a percent sign")
    goes_on = block.closed_at >= 0 and _GOES_ON.match(block.body, block.closed_at + 1)
    body = block.body[: LONGEST_ENTRY if goes_on else size]
    key = _KEY.match(body)
    fields = _fields(body, key.end() if key else 0, abbreviations)
    if not fields and block.closed_at < 0:
        return "", Entry(0, unusable=BREAKS_OFF)
    return ((key["key"] or "").lower() if key else ""), Entry(0, fields)


def _fields(body: str, at: int, abbreviations: Mapping[str, str]) -> dict[str, str]:
    """Values by name; of a field that stands twice, the first."""
    found: dict[str, str] = {}
    while name := _NAME.match(body, at) or _NAME.search(body, at):
        value, at = _value(body, name.end(), abbreviations)
        found.setdefault(name["name"].lower(), value)
        if at <= name.start():
            break
    return found


def _value(body: str, at: int, abbreviations: Mapping[str, str]) -> tuple[str, int]:
    """The value that begins at ``at``, its parts joined, and where it ends."""
    parts: list[str] = []
    while at < len(body):
        if body[at] in '{"':
            part, at = _delimited(body, at)
            parts.append(part)
        elif bare := _BARE.match(body, at):
            parts.append(abbreviations.get(bare[0].lower(), bare[0]))
            at = bare.end()
        joined = _JOIN.match(body, at)
        if joined is None:
            break
        at = joined.end()
    return "".join(parts), at


def _delimited(body: str, at: int) -> tuple[str, int]:
    """What stands between braces or quotation marks; to the end of its line if these are open."""
    is_quoted, depth = body[at] == '"', 0
    for token in (_QUOTES if is_quoted else _BRACES).finditer(body, at + is_quoted):
        depth += (token[0] == "{") - (token[0] == "}")
        if depth < 0 or (is_quoted and token[0] == '"' and depth == 0):
            break
        if not is_quoted and depth == 0:
            break
    else:
        return _to_line_end(body, at)
    value = body[at + 1 : token.start()]
    if depth < 0 or _FIELD_INSIDE.search(value):
        return _to_line_end(body, at)
    return value, token.end()


def _to_line_end(body: str, at: int) -> tuple[str, int]:
    end = _END_OF_VALUE.search(body, at + 1)
    return (body[at + 1 : end.start()], end.end()) if end else (body[at + 1 :], len(body))
