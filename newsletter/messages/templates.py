"""Templates: MJML compiled once, with the Jinja tags kept, then Jinja for each message."""

import re
from collections.abc import Callable, Iterator
from functools import cache, lru_cache
from pathlib import Path
from textwrap import wrap
from typing import Any

from jinja2 import (
    Environment,
    FileSystemLoader,
    StrictUndefined,
    Template,
    TemplateError,
    TemplateSyntaxError,
)
from jinja2.runtime import Context
from mjml import mjml_to_html

from newsletter.core import language
from newsletter.core.config import bundled
from newsletter.core.errors import RenderError
from newsletter.messages.wording import Passage

# Jinja's block tags are comments in HTML, so MJML, the CSS inliner and editors pass them by.
_BLOCK_START, _BLOCK_END = "<!--%", "%-->"
# Stands where a block was left out; no text from outside holds it (`wording.one_line`).
CLOSED = "\x04"


def compiled(name: str) -> tuple[Template, Template]:
    """The HTML and the text template of a mail kind: ``templates/NAME.mjml`` and ``NAME.txt``.

    The HTML is laid out for the direction of the language that is on.

    Raises:
        RenderError: a template is missing or wrong; says which, and the line where Jinja knows.
    """
    return _compiled(name, language.direction())


@cache
def _compiled(name: str, direction: str) -> tuple[Template, Template]:
    folder = bundled("templates")
    try:
        source = compile_mjml(folder / f"{name}.mjml")
        html = _html_environment().from_string(mirrored(source) if direction == "rtl" else source)
        html.name = f"{name}.mjml"
        return html, _text_environment(folder).get_template(f"{name}.txt")
    except TemplateSyntaxError as error:
        raise RenderError(f"template {name}, line {error.lineno}: {error}") from error
    except (TemplateError, OSError, ValueError) as error:
        raise RenderError(f"template {name}: {error}") from error


def compile_mjml(path: Path) -> str:
    """HTML of an MJML file, without what only costs bytes; takes about a tenth of a second."""
    with path.open(encoding="utf-8") as file:
        html = str(mjml_to_html(file).html)
    # Comments for people who edit templates; conditional ones speak to Outlook and stay.
    html = re.sub(r"<!--(?!\[if|<!|%|>).*?-->", "", html, flags=re.DOTALL)
    # Indentation is a quarter of what MJML writes, and Gmail counts it (bulk-mail rule 19).
    html = re.sub(r"\s*\n\s*", "\n", html)
    # Screen readers jump to a main part, and a mail opened in the browser is a page like others.
    html = html.replace('role="article"', 'role="main"')
    # A tag on a line of its own leaves nothing behind.
    return re.sub(r"\n(<!--%[^%]*%-->)(?=\n)", r"\1", html)


_SIDES = {"left": "right", "right": "left", "ltr": "rtl", "rtl": "ltr"}


def mirrored(html: str) -> str:
    """Compiled HTML for a language from right to left: directions and sides swapped.

    Sides are in attributes and styles only, and never four numbers long, as a test holds.
    """
    return re.sub(
        r"""(?P<before>(?:align|dir)="|(?:text-align|direction|float):\s*|(?:margin|padding|border)-)"""
        r"""(?P<side>left|right|ltr|rtl)\b""",
        lambda found: found["before"] + _SIDES[found["side"]],
        html,
    )


def _html_environment() -> Environment:
    environment = Environment(
        autoescape=True,
        extensions=["jinja2.ext.i18n"],
        undefined=StrictUndefined,
        block_start_string=_BLOCK_START,
        block_end_string=_BLOCK_END,
        comment_start_string="<!--#",
        comment_end_string="#-->",
    )
    language.translate(environment)
    return environment


def _text_environment(folder: Path) -> Environment:
    # Plain text: HTML escapes would show up as they are.
    environment = Environment(  # noqa: S701
        loader=FileSystemLoader(folder),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        extensions=["jinja2.ext.i18n"],
    )
    language.translate(environment)
    environment.filters["wrapped"] = _wrapped
    return environment


# An edition shows one abstract with several labels.
@lru_cache(maxsize=2000)
def _wrapped(passages: tuple[Passage, ...]) -> str:
    """Passages as lines of at most 76 characters, bold ones between asterisks."""
    text = "".join(f"*{text}*" if strong else text for text, strong in passages)
    return "\n".join(wrap(text, 76, break_long_words=False, break_on_hyphens=False))


def render(template: Template, values: dict[str, Any], *, closed: str | None = None) -> str:
    """A template filled in; the block ``closed`` gives a mark instead of its content.

    Raises:
        RenderError: it uses a name that is not there, or fails in another way.
    """
    return _run(template, template.root_render_func, values, closed)


def render_block(
    template: Template, block: str, values: dict[str, Any], *, closed: str | None = None
) -> str:
    """One block of a template filled in.

    Raises:
        RenderError: as `render`; or the block is missing.
    """
    if block not in template.blocks:
        raise RenderError(f"template {template.name}: the block {block} is missing")
    return _run(template, template.blocks[block], values, closed)


def _run(
    template: Template,
    function: Callable[[Context], Iterator[str]],
    values: dict[str, Any],
    closed: str | None,
) -> str:
    # Jinja would put the globals together anew for each card, which takes a tenth of its time.
    context = template.new_context(_globals(template) | values, shared=True)
    if closed:
        context.blocks[closed] = [lambda _: iter([CLOSED])]
    try:
        return "".join(function(context))
    except (TemplateError, ArithmeticError, LookupError, TypeError, ValueError) as error:
        raise RenderError(f"template {template.name}: {error}") from error


@cache
def _globals(template: Template) -> dict[str, Any]:
    return dict(template.globals)
