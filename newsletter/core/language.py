"""The language that readers are addressed in: which one is on, its texts, dates and numbers.

English is written in the code and needs no catalogue; every other language is a catalogue of
gettext in ``locale``, beside this file, read once a process. Commands and the operator's pages
are in English.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import date
from functools import cache, lru_cache
from gettext import GNUTranslations
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from babel import Locale
    from jinja2 import Environment

SOURCE = "en"
FOLDER = Path(__file__).parent / "locale"
LONGEST = 10  # characters of a language's name, such as pt-BR
_current: ContextVar[str] = ContextVar("language", default=SOURCE)
_site: ContextVar[str] = ContextVar("site_language", default=SOURCE)


@cache
def languages() -> tuple[str, ...]:
    """English, then every language that has a catalogue, by its name in BCP 47."""
    there = sorted(file.parent.parent.name for file in FOLDER.glob("*/LC_MESSAGES/newsletter.po"))
    return (SOURCE, *(name.replace("_", "-") for name in there))


def known(name: str) -> str | None:
    """The language that ``name`` means here: ``de`` for ``DE`` and ``de-AT``; None without one."""
    wanted = name.strip().replace("_", "-").lower()
    by_name = {each.lower(): each for each in languages()}
    return by_name.get(wanted) or by_name.get(wanted.partition("-")[0])


def accepted(header: str) -> str | None:
    """The best language for an ``Accept-Language`` header (RFC 9110 §12.5.4), None without one."""
    ranked = []
    for place, part in enumerate(header[:500].split(",")):
        name, _, weight = part.partition(";")
        quality = re.fullmatch(r"\s*q=(0(?:\.\d{0,3})?|1(?:\.0{0,3})?)\s*", weight)
        worth = float(quality[1]) if quality else 0.0 if weight else 1.0
        if worth and (found := known(name)):
            ranked.append((-worth, place, found))
    return min(ranked)[2] if ranked else None


def current() -> str:
    """The language that is on."""
    return _current.get()


def site() -> str:
    """The language of the site, which new subscribers get unless they chose one."""
    return _site.get()


def set_site(name: str) -> None:
    """Make ``name`` the language of the site, for this process or request."""
    _site.set(name)


def use(name: str) -> None:
    """Turn a language on for the rest of this request; one without a catalogue means English."""
    _current.set(name if name in languages() else SOURCE)


@contextmanager
def speaking(name: str) -> Iterator[None]:
    """Turn a language on within a block; one without a catalogue means English."""
    before = _current.set(name if name in languages() else SOURCE)
    try:
        yield
    finally:
        _current.reset(before)


@cache
def _catalogue(name: str) -> GNUTranslations:
    # Read as it is written, so that nothing has to be compiled before a checkout or wheel works.
    from babel.messages.mofile import write_mo  # noqa: PLC0415
    from babel.messages.pofile import read_po  # noqa: PLC0415

    path = FOLDER / name.replace("-", "_") / "LC_MESSAGES" / "newsletter.po"
    compiled = BytesIO()
    with path.open("rb") as file:
        write_mo(compiled, read_po(file, locale=name.replace("-", "_")))
    compiled.seek(0)
    return GNUTranslations(compiled)


def gettext(message: str) -> str:
    """``message`` in the language that is on."""
    name = _current.get()
    # The catalogues keep their head under the empty message.
    return message if name == SOURCE or not message else _catalogue(name).gettext(message)


def plural(one: str, many: str, number: int) -> str:
    """The form of a message for ``number`` things, in the language that is on."""
    name = _current.get()
    if name == SOURCE:
        return one if number == 1 else many
    return _catalogue(name).ngettext(one, many, number)


def _(message: str, /, **values: object) -> str:
    """``message`` in the language that is on, its ``{names}`` filled in."""
    if _current.get() == SOURCE:  # as most digests are, with a dozen messages each
        return message.format_map(values) if values else message
    said = gettext(message)
    return said.format(**_isolated(values)) if values else said


def ngettext(one: str, many: str, count: int, /, **values: object) -> str:
    """The message for ``count`` things, with ``{count}`` and other names filled in."""
    if _current.get() == SOURCE:
        return (one if count == 1 else many).format(count=f"{count:,}", **values)
    return plural(one, many, count).format(count=number(count), **_isolated(values))


def _isolated(values: dict[str, object]) -> dict[str, object]:
    """In a language from right to left, each text between marks that keep its own direction.

    FSI and PDI of the Unicode Bidirectional Algorithm (UAX 9) show as nothing, and work in
    subjects and plain text as well.
    """
    return {name: isolated(value) for name, value in values.items()} if is_rtl() else values


def isolated(value: object) -> str:
    """``value``, in a language from right to left between marks of its own direction."""
    return f"\u2068{value}\u2069" if is_rtl() else str(value)


def is_rtl() -> bool:
    """Whether the language that is on is written from right to left."""
    return direction() == "rtl"


def quoted(text: str) -> str:
    """``“text”``, in the quotation marks of the language that is on."""
    if _current.get() == SOURCE:
        return f"“{text}”"
    return _("“{text}”", text=text)


def listed(texts: Sequence[str]) -> str:
    """``a``, ``a and b``, ``a, b and c``."""
    if len(texts) < 2:
        return "".join(texts)
    if len(texts) == 2 and _current.get() == SOURCE:
        return f"{texts[0]} and {texts[1]}"
    return gettext("{some} and {last}").format(some=", ".join(texts[:-1]), last=texts[-1])


def sentence(text: str) -> str:
    """``text`` with a capital at its start."""
    return text[:1].upper() + text[1:]


def N_(message: str) -> str:  # noqa: N802  (as everywhere with gettext)
    """Mark a message for the catalogues; it is translated where it is used."""
    return message


def number(value: int) -> str:
    """``12,345``, as the language that is on writes it."""
    if _current.get() == SOURCE:
        return f"{value:,}"
    from babel.numbers import format_decimal  # noqa: PLC0415

    return format_decimal(value, locale=_locale(_current.get()))


def decimal(value: float, form: str = ".1f") -> str:
    """``98.6``, or ``+98.6`` for ``form`` "+.1f", as the language that is on writes it."""
    written = f"{value:{form}}"
    if _current.get() == SOURCE:
        return written
    from babel.numbers import get_decimal_symbol  # noqa: PLC0415

    return written.replace(".", get_decimal_symbol(_locale(_current.get())))


def direction() -> str:
    """``rtl`` where the language that is on is written from right to left, else ``ltr``."""
    name = _current.get()
    return "ltr" if name == SOURCE else _direction(name)


@cache
def name_of(name: str) -> str:
    """A language in its own words: ``Deutsch``."""
    found = _locale(name).get_display_name() or name
    return found[0].upper() + found[1:]


def english_name(name: str) -> str:
    """A language in English: ``German``."""
    return _locale(name).get_display_name(SOURCE) or name


@cache
def _direction(name: str) -> str:
    return _locale(name).text_direction


@cache
def _locale(name: str) -> "Locale":
    from babel import Locale  # noqa: PLC0415

    return Locale.parse(name, sep="-")


@lru_cache(maxsize=1000)
def _written(name: str, form: str, day: date) -> str:
    from babel.dates import format_date, format_skeleton  # noqa: PLC0415

    if form in {"MMMMd", "yMMMM"}:  # which parts, not in which order
        return format_skeleton(form, day, locale=_locale(name))
    return format_date(day, form, locale=_locale(name))


def _day(form: str, english: Callable[[date], str]) -> Callable[[date], str]:
    def said(day: date) -> str:
        name = _current.get()
        return english(day) if name == SOURCE else _written(name, form, day)

    return said


# ``Sunday, 22 November 2026`` and parts of it, as the language that is on writes them.
full_day = _day("full", lambda day: f"{day:%A}, {day.day} {day:%B %Y}")
long_day = _day("long", lambda day: f"{day.day} {day:%B %Y}")
day_and_month = _day("MMMMd", lambda day: f"{day.day} {day:%B}")
month_and_year = _day("yMMMM", lambda day: f"{day:%B %Y}")
month = _day("LLLL", lambda day: f"{day:%B}")


def days(first: date, last: date) -> str:
    """``14 to 20 November 2026``; month and year of the first where they differ."""
    name = _current.get()
    if name != SOURCE:
        from babel.dates import format_interval  # noqa: PLC0415

        return format_interval(first, last, "yMMMMd", locale=_locale(name))
    start = f"{first.day}"
    if (first.year, first.month) != (last.year, last.month):
        start += f" {first:%B}"
    if first.year != last.year:
        start += f" {first.year}"
    return f"{start} to {last.day} {last:%B %Y}"


def translate(environment: "Environment") -> None:
    """Let a template environment, which has ``jinja2.ext.i18n``, speak the language that is on."""
    environment.policies["ext.i18n.trimmed"] = True
    environment.install_gettext_callables(gettext, plural, newstyle=True)  # type: ignore[attr-defined]
    environment.globals.update(lang=current, direction=direction, number=number, decimal=decimal)
