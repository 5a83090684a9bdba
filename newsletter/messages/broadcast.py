"""A broadcast's Markdown as blocks of plain runs, for both bodies of the message. Pure.

Markdown becomes values and never HTML: the templates escape every text and place every link, as
they do for papers. Tags in the Markdown are shown as they are typed.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import lru_cache
from textwrap import wrap
from typing import TYPE_CHECKING

from newsletter.core.errors import InputError
from newsletter.core.language import SOURCE
from newsletter.core.one_line import UNWANTED
from newsletter.messages.wording import one_line, safe_url

if TYPE_CHECKING:
    from markdown_it.token import Token

# Nobody reads a longer mail, and what quotes of quotes would make of one has an end too.
LONGEST_BODY = 50_000
LINE = 76
# Addresses that are typed without brackets become links as well, in both bodies alike.
_BARE_URL = re.compile(r"https?://[^\s<>\"]*[^\s<>\".,;:!?'()\]]")


@dataclass(frozen=True, slots=True)
class BroadcastMessage:
    """One subscriber's copy of a broadcast, as the ledger holds it."""

    delivery_id: int
    to_address: str
    message_id: str
    created_at: datetime
    public_id: str
    link_generation: int
    to_name: str
    subject: str
    body: str  # Markdown
    language: str = SOURCE  # of the frame around it


@dataclass(frozen=True, slots=True)
class Run:
    """Some words in one style; ``url`` is empty unless they are a link."""

    text: str
    strong: bool = False
    emphasis: bool = False
    code: bool = False
    url: str = ""


@dataclass(frozen=True, slots=True)
class Block:
    """A heading, paragraph, list item, code or rule; ``marker`` is a list item's bullet or number.

    ``depth`` counts the lists around it, ``quoted`` the quotations.
    """

    kind: str  # "heading", "text", "code" or "rule"
    runs: tuple[Run, ...] = ()
    marker: str = ""
    depth: int = 0
    quoted: int = 0


@lru_cache(maxsize=8)
def blocks_of(markdown: str, where: str = "the broadcast") -> tuple[Block, ...]:
    """The blocks of a Markdown text (CommonMark).

    Raises:
        InputError: it is empty or too long, or has a link that cannot work in a mail.
    """
    if len(markdown) > LONGEST_BODY:
        raise InputError(
            f"{len(markdown)} characters, and a broadcast may have {LONGEST_BODY}", where=where
        )
    # Only sending a broadcast needs it, and importing it takes as long as `status` altogether.
    from markdown_it import MarkdownIt  # noqa: PLC0415

    parser = MarkdownIt("commonmark", {"html": False})
    # Every link is looked at below, where a bad one is named instead of shown as text.
    parser.validateLink = lambda url: True  # type: ignore[method-assign]
    blocks = tuple(_blocks(parser.parse(UNWANTED.sub(" ", markdown)), where))
    if not blocks:
        raise InputError("there is no text in it", where=where)
    return blocks


def _blocks(tokens: Sequence["Token"], where: str) -> Iterator[Block]:
    numbers: list[int | None] = []  # of the lists around: the next number, or None for bullets
    marker, quoted, kind = "", 0, "text"
    for token in tokens:
        shape = Block(kind, (), marker, len(numbers), quoted)
        match token.type:
            case "bullet_list_open":
                numbers.append(None)
            case "ordered_list_open":
                numbers.append(int(token.attrs.get("start", 1)))
            case "bullet_list_close" | "ordered_list_close":
                numbers.pop()
            case "list_item_open":
                number = numbers[-1]
                marker = "•" if number is None else f"{number}."
                numbers[-1] = None if number is None else number + 1
            case "blockquote_open" | "blockquote_close":
                quoted += token.nesting
            case "heading_open" | "paragraph_open":
                kind = "heading" if token.tag.startswith("h") else "text"
            case "hr":
                yield replace(shape, kind="rule", marker="")
            case "fence" | "code_block":
                yield replace(shape, kind="code", runs=(Run(token.content.rstrip("\n")),))
                marker = ""
            case "inline":
                line = (token.map or [0])[0] + 1
                runs = tuple(_runs(token.children or (), f"{where}, line {line}"))
                if runs:
                    yield replace(shape, runs=runs)
                    marker = ""


def _runs(tokens: Sequence["Token"], where: str) -> Iterator[Run]:
    style = Run("")
    for token in tokens:
        match token.type:
            case "strong_open" | "strong_close":
                style = replace(style, strong=token.nesting > 0)
            case "em_open" | "em_close":
                style = replace(style, emphasis=token.nesting > 0)
            case "link_open":
                style = replace(style, url=_link(str(token.attrs["href"]), where))
            case "link_close":
                style = replace(style, url="")
            case "code_inline":
                yield replace(style, text=token.content, code=True)
            case "image":  # mails load nothing from elsewhere, so a picture is a link to it
                url = _link(str(token.attrs["src"]), where)
                yield replace(style, text=token.content or url, url=style.url or url)
            case "softbreak":
                yield replace(style, text=" ")
            case "hardbreak":
                yield replace(style, text="\n")
            case _ if token.content:
                yield from (
                    [replace(style, text=token.content)]
                    if style.url
                    else _linked(token.content, style)
                )


def _linked(text: str, style: Run) -> Iterator[Run]:
    """Text with the addresses in it as links."""
    reached = 0
    for found in _BARE_URL.finditer(text):
        url = safe_url(found[0])
        if url is None:
            continue
        if found.start() > reached:
            yield replace(style, text=text[reached : found.start()])
        yield replace(style, text=found[0], url=url)
        reached = found.end()
    if reached < len(text):
        yield replace(style, text=text[reached:])


def _link(url: str, where: str) -> str:
    if re.fullmatch(r"mailto:[^\s<>\"]+@[^\s<>\"]+", url):
        return url
    safe = safe_url(url)
    if safe is None:
        raise InputError(
            f"the link {url!r} cannot work in a mail: write it in full, beginning with https://, "
            "http:// or mailto:",
            where=where,
        )
    return safe


def preheader(blocks: Sequence[Block]) -> str:
    """The first words that are not a heading, for the line beside the subject in an inbox."""
    texts = [block for block in blocks if block.kind == "text"] or list(blocks)
    return one_line("".join(run.text for run in texts[0].runs))


def as_text(blocks: Sequence[Block]) -> str:
    """The blocks as plain text, in lines of at most 76 characters; links stand in brackets."""
    text, before = "", ""
    for block in blocks:
        text += "\n" if before and block.marker else "\n\n" * bool(text)
        text += _block_text(block)
        before = block.marker
    return text


def _block_text(block: Block) -> str:
    if block.kind == "rule":
        return "* * *"
    quote = "> " * block.quoted
    indent = quote + "  " * max(0, block.depth - 1)
    if block.kind == "code":
        text = block.runs[0].text
        return "\n".join(f"{indent}    {line}" for line in text.split("\n"))
    hang = indent + " " * (len(block.marker) + 1) * bool(block.depth)
    said = "".join(map(_run_text, block.runs))
    if block.kind == "heading":
        said = f"== {said} =="
    lines: list[str] = []
    for line in said.split("\n"):
        lines += wrap(line, LINE - len(hang), break_long_words=False, break_on_hyphens=False)
    first = f"{indent}{block.marker} " if block.marker else hang
    return "\n".join(f"{hang if at else first}{line}" for at, line in enumerate(lines))


def _run_text(run: Run) -> str:
    text = f"*{run.text}*" if run.strong and run.text.strip() else run.text
    address = run.url.removeprefix("mailto:")
    return f"{text} <{address}>" if run.url and address != run.text else text
