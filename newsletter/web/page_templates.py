"""The templates of pages, compiled once for each language with its texts in them."""

from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined, nodes
from jinja2.visitor import NodeTransformer
from markupsafe import Markup

from newsletter.core import language, one_line
from newsletter.core.config import bundled
from newsletter.messages import wording


def templates_of_pages(spoken: str, **values: Any) -> Environment:
    """The templates in ``templates/pages``, in one language, with ``values`` in all of them."""
    templates = _Environment(
        spoken,
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
    )
    language.translate(templates)
    templates.globals.update(values)
    return templates


class _Environment(Environment):
    """Jinja's, but that texts without values are translated when a template is compiled."""

    def __init__(self, spoken: str, **options: Any) -> None:
        super().__init__(**options)
        self._spoken = spoken

    def compile(self, source: str | nodes.Template, *args: Any, **options: Any) -> Any:
        """Compile a template, with its texts in the language of this environment."""
        tree = self.parse(source, *args[:2]) if isinstance(source, str) else source
        return super().compile(_Translator(self._spoken).visit(tree), *args, **options)


class _Translator(NodeTransformer):
    """Puts texts in place of the calls that look them up.

    The preferences page has 130: looking each up took 0.8 of 1.9 ms that it took to render.
    """

    def __init__(self, spoken: str) -> None:
        self._spoken = spoken

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
