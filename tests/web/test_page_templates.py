"""Templates of pages: constants are in them when compiled, and nothing typed becomes markup."""

from dataclasses import dataclass
from typing import Any

import pytest
from jinja2 import Environment

from newsletter.core import language
from newsletter.web.page_templates import templates_of_pages

EVIL = "<b>\"'&"
SAFE = "&lt;b&gt;&#34;&#39;&amp;"


@dataclass(frozen=True)
class Wrong:
    field: str = ""
    what: str = ""


def of(spoken: str, **values: Any) -> Environment:
    return templates_of_pages(spoken, root="", labels={}, **values)


@pytest.mark.parametrize(
    ("spoken", "said"), [("en", "Retracted 1 upvote"), ("de", "Zurückgezogen 1 Stimme")]
)
def test_a_template_speaks_its_own_language(spoken: str, said: str) -> None:
    text = (
        "{{ _('Retracted') }} {% trans count=n %}{{ count }} <span class=\"unseen\">upvote</span>"
        '{% pluralize %}{{ count }} <span class="unseen">upvotes</span>{% endtrans %}'
    )
    template = of(spoken).from_string(text)
    with language.speaking(spoken):
        shown = template.render(n=1)
    assert shown.replace('<span class="unseen">', "").replace("</span>", "") == said


def test_values_of_all_pages_are_escaped_and_a_name_of_ones_own_hides_them() -> None:
    templates = of("en", site_name=EVIL)
    assert templates.from_string("{{ site_name }} {{ 'a' ~ site_name }}").render() == (
        f"{SAFE} a{SAFE}"
    )
    # What stands in a text with values is escaped there.
    text = "{% trans %}{{ site_name }} 100%{% endtrans %}"
    assert templates.from_string(text).render() == f"{SAFE} 100%"


def test_the_chosen_option_is_selected_and_nothing_else_changes() -> None:
    show = of("en").from_string("{{ values | options(chosen) }}")
    values = (("a", "A & B"), ("ab", "<i>"))
    plain = '<option value="a">A &amp; B</option>\n<option value="ab">&lt;i&gt;</option>\n'
    assert show.render(values=values, chosen="a") == plain.replace('"a"', '"a" selected')
    assert show.render(values=values, chosen="ab") == plain.replace('"ab"', '"ab" selected')
    for nothing in ("", "A", EVIL, 'a">', "A & B"):
        assert show.render(values=values, chosen=nothing) == plain


def test_what_is_wrong_stands_beside_its_field_alone() -> None:
    show = of("en").from_string("{{ name | marks(wrong, hint) }}|{{ name | said(wrong) }}")
    wrong = Wrong("hour", f"not {EVIL}")
    assert show.render(name="day", wrong=wrong, hint="") == "|"
    assert show.render(name="day", wrong=wrong, hint="h") == ' aria-describedby="h"|'
    shown = show.render(name="hour", wrong=wrong, hint="h")
    assert shown == (
        ' aria-invalid="true" autofocus aria-describedby="hour-wrong h"|'
        f'<p class="wrong" id="hour-wrong">Not {SAFE}.</p>\n'
    )
