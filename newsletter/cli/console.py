"""Where commands write: ``out`` for results, ``err`` for what people are told meanwhile.

Commands that run often use `newsletter.cli.say` instead: a tenth of the time that `newsletter
status` takes to start would go into importing Rich's console.
"""

from collections.abc import Iterable
from typing import Any

from rich.console import Console, RenderableType
from rich.segment import Segment
from rich.text import Text

from newsletter.core.one_line import visible


class SafeConsole(Console):
    """Shows control characters of what it prints, and obeys only its own."""

    def render_str(self, text: str, **options: Any) -> Text:
        """A string, before Rich takes the control characters that it knows out of it."""
        return super().render_str(visible(text), **options)

    def render(self, renderable: RenderableType, options: Any = None) -> Iterable[Segment]:
        """Whatever else is printed."""
        for text, style, control in super().render(renderable, options):
            yield Segment(text if control else visible(text), style, control)


# People read standard error, programs standard output: `--json` keeps the latter clean.
out = SafeConsole(soft_wrap=True, highlight=False)
err = SafeConsole(stderr=True, soft_wrap=True, highlight=False)
