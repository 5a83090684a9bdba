"""Cut a bibliography into its entries in one pass, before any parser sees it. Pure.

Parsers go back to the beginning where an entry does not end; here each character is looked at
once, and what does not end, or is too long to be an entry, is left out.
"""

import re
from collections.abc import Iterator

# An abstract and a long list of authors take some 20,000 characters.
LONGEST_ENTRY = 64 * 1024
# Abbreviations of journals: they stand before the entries that use them.
MOST_ABBREVIATIONS = 500
# A start at the beginning of a line ends what was left open before it.
_BIBTEX = re.compile(
    r"\\."
    r"|(?P<line>^[ \t]{0,20})?@(?P<kind>[A-Za-z]{1,40})\s{0,20}\{"
    r"|(?P<brace>[{}])",
    re.MULTILINE | re.DOTALL,
)
_NO_ENTRIES = frozenset({"comment", "preamble"})
_RIS_START = re.compile(r"^[ \t]{0,20}TY  - ", re.MULTILINE)


def is_ris(text: str) -> bool:
    """Whether ``text`` has an entry of RIS."""
    return _RIS_START.search(text) is not None


def ris_entries(text: str) -> Iterator[str]:
    """Each entry from its "TY  -" to the next one."""
    starts = [found.start() for found in _RIS_START.finditer(text)]
    for start, end in zip(starts, [*starts[1:], len(text)], strict=True):
        if end - start <= LONGEST_ENTRY:
            yield text[start:end]


def bibtex_entries(text: str) -> Iterator[str]:
    """Each entry and each abbreviation (@string) from its @ to the brace that closes it."""
    abbreviations = 0
    for kind, entry in _bibtex_blocks(text):
        abbreviations += kind == "string"
        if kind not in _NO_ENTRIES and (kind != "string" or abbreviations <= MOST_ABBREVIATIONS):
            yield entry


def _bibtex_blocks(text: str) -> Iterator[tuple[str, str]]:
    """Pairs of kind in lower case and text, from its @ to the brace that closes it."""
    start, kind, depth = 0, "", 0
    for token in _BIBTEX.finditer(text):
        if token["kind"] and (depth == 0 or token["line"] is not None):
            start, kind, depth = token.start(), token["kind"].lower(), 1
        elif depth and (token["kind"] or token["brace"] == "{"):
            depth += 1
        elif depth and token["brace"] == "}":
            depth -= 1
            if depth == 0 and token.end() - start <= LONGEST_ENTRY:
                yield kind, text[start : token.end()].strip()
