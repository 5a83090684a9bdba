"""The templates of pages, compiled once for each language with its texts in them."""

from collections.abc import Sequence
from functools import lru_cache
from typing import Any, Protocol

from jinja2 import Environment, FileSystemLoader, StrictUndefined, nodes
from jinja2.utils import url_quote
from jinja2.visitor import NodeTransformer
from markupsafe import Markup, escape

from newsletter.core import language, one_line
from newsletter.core.config import bundled
from newsletter.messages import wording


def templates_of_pages(spoken: str, **values: Any) -> Environment:
    """The templates in ``templates/pages``, in one language, with ``values`` in all of them."""
    templates = _Environment(
        spoken,
        values,
        loader=FileSystemLoader(bundled("templates") / "pages"),
        autoescape=True,
        extensions=["jinja2.ext.i18n"],
        undefined=StrictUndefined,
        auto_reload=False,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    templates.filters.update(
        safe_url=wording.safe_url,
        names=wording.authors_in_words,
        day=wording.day_in_words,
        shortened=one_line.shortened,
        day_and_month=language.day_and_month,
        marks=_marks,
        said=_said,
        options=_options,
        without=_without,
        urlencode=_url_encoded,
    )
    language.translate(templates)
    return templates


class _Wrong(Protocol):
    """What is wrong with a form: the name of the field, "" for none, and what."""

    field: str
    what: str


# Filters and not macros: the preferences page has 60 of these, and calling a macro took 6 µs.
def _marks(name: str, wrong: _Wrong, hint: str = "") -> Markup:
    """The attributes that tie a field to its hint, and to what is wrong with it."""
    if wrong.field == name:
        tied = Markup(' aria-invalid="true" autofocus aria-describedby="{}-wrong{}"')
        return tied.format(name, f" {hint}" if hint else "")
    # Nearly always: `Markup.format` takes three times as long.
    return Markup(f' aria-describedby="{escape(hint)}"' if hint else "")  # noqa: S704


def _said(name: str, wrong: _Wrong) -> Markup:
    """What is wrong with a field, as a line below it."""
    if wrong.field != name:
        return Markup("")
    line = Markup('<p class="wrong" id="{}-wrong">{}.</p>\n')
    return line.format(name, language.sentence(wrong.what))


def _options(values: tuple[tuple[str, str], ...], chosen: str) -> Markup:
    """The options of a list, each with its value and words, and the chosen one selected."""
    start = f'<option value="{escape(chosen)}"'
    return Markup(_unselected(values).replace(f"{start}>", f"{start} selected>"))  # noqa: S704


def _without(values: Sequence[str], other: str, most: int) -> list[str]:
    """The first ``most`` of the values that are not ``other``."""
    return [value for value in values if value != other][:most]


# Cards link to categories and venues, the same few; encoding them was a sixth of making a card.
_url_encoded = lru_cache(maxsize=2_000)(url_quote)


@lru_cache(maxsize=100)
def _unselected(values: tuple[tuple[str, str], ...]) -> str:
    option = Markup('<option value="{}">{}</option>\n')
    return "".join(option.format(*each) for each in values)


class _Environment(Environment):
    """Jinja's, but that what is the same on every page is told when a template is compiled."""

    def __init__(self, spoken: str, values: dict[str, Any], **options: Any) -> None:
        super().__init__(**options)
        self.globals.update(values)
        texts = {name: value for name, value in values.items() if isinstance(value, str)}
        self._constants = _Constants(spoken, texts)

    def compile(self, source: str | nodes.Template, *args: Any, **options: Any) -> Any:
        """Compile a template with its constants in it."""
        tree = self.parse(source, *args[:2]) if isinstance(source, str) else source
        return super().compile(self._constants.visit(tree), *args, **options)


class _Constants(NodeTransformer):
    """Puts texts in their language, and values that all pages share, in place of what gets them.

    The preferences page has 130 texts: looking each up took 0.8 of 1.9 ms that it took to render.
    """

    def __init__(self, spoken: str, values: dict[str, str]) -> None:
        self._spoken = spoken
        self._values = values

    def visit_Name(self, node: nodes.Name) -> nodes.Node:  # noqa: N802  (Jinja's name)
        if node.ctx != "load" or node.name not in self._values:
            return node
        return nodes.Const(self._values[node.name], lineno=node.lineno)

    def visit_Call(self, node: nodes.Call) -> nodes.Node:  # noqa: N802  (Jinja's name)
        self.generic_visit(node)
        called = node.node.name if isinstance(node.node, nodes.Name) else ""
        if called not in {"_", "gettext"} or node.kwargs or len(node.args) != 1:
            return node
        text = node.args[0]
        if not isinstance(text, nodes.Const):
            return node
        with language.speaking(self._spoken):
            # As `jinja2.ext.i18n` does when a page is rendered: texts and catalogues are ours.
            translated = Markup(language.gettext(text.value)) % {}  # noqa: S704
        return nodes.Const(translated, lineno=node.lineno)
