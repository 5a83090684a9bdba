"""Checks of single settings that take more than a line. Errors are `ValueError`s for pydantic."""

import re
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

from newsletter.core.addresses import is_plain_address, what_is_wrong
from newsletter.core.language import known, languages

# What `newsletter.sources.registry` can build; a test holds the two together.
SOURCE_NAMES = (
    "hf",
    "arxiv",
    "arxiv-rss",
    "arxiv-oai",
    "biorxiv",
    "medrxiv",
    "semantic-scholar",
    "openalex",
    "crossref",
    "pubmed",
    "openreview",
    "feeds",
)
_EHLO_NAME = re.compile(
    r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,62}\.){1,10}[A-Za-z][A-Za-z0-9-]{0,62}"
    r"|\[(?:\d{1,3}(?:\.\d{1,3}){3}|IPv6:[0-9A-Fa-f:.]{2,45})\]"
)
# What a value must be, by the first word of pydantic's name for the error.
_KINDS = {
    "int": "must be a whole number",
    "float": "must be a number",
    "finite": "must be a number",
    "bool": "must be true or false",
    "string": "must be a text in quotes",
    "path": "must be the name of a file, in quotes",
    "tuple": "must be a text in quotes, or a list of texts",
    "dict": "must be a text in quotes",
}
_NAMED_ADDRESS = re.compile(r"(?P<name>[^<>\r\n]*)<(?P<address>[^<>]+)>\s*")


def in_our_words(error: Mapping[str, Any]) -> str:
    """What is wrong with a setting, from one of pydantic's errors; never with the value."""
    given = error.get("ctx", {})
    if error["type"] == "value_error":
        return str(given["error"])
    if error["type"] == "literal_error":
        return f"must be {given['expected']}".replace("'", "")
    if error["type"] == "greater_than_equal":
        return f"must be {given['ge']:g} or more"
    if error["type"] == "less_than_equal":
        return f"must be {given['le']:g} or less"
    if error["type"] == "too_short":
        return f"must have {given['min_length']} characters or more"
    kind = error["type"].partition("_")[0]
    return _KINDS.get(kind, "is not of the kind that README.md describes")


def check_server_url(url: str, schemes: Sequence[str]) -> None:
    """Refuse a server's URL that would be read wrongly; no part of it is in the message.

    Raises:
        ValueError: says what is wrong with it.
    """
    scheme, _, rest = url.partition("://")
    login, has_login, _ = rest.rpartition("@")
    if has_login and (set(login) & set("/?#[]") or "@" in login.partition(":")[2]):
        raise ValueError(
            "percent-encode what means something in a URL, in user and password: # is %23, "
            "/ is %2F, @ is %40, ? is %3F"
        )
    try:
        parts = urlsplit(url)
        is_port = parts.port != 0
    except ValueError:
        is_port = False
    if not is_port:
        hint = "; percent-encode # and / in the password (%23, %2F)" if "#" in rest else ""
        raise ValueError(f"the port must be a number from 1 to 65535{hint}")
    if scheme not in schemes or not parts.hostname:
        forms = " or ".join(f"{name}://host:port" for name in schemes)
        if "https" in schemes:
            forms = "https://host or https://host/path"
        raise ValueError(f"must have the form {forms}")


def a_language(name: str) -> str:
    """A language that the site can speak.

    Raises:
        ValueError: says which there are.
    """
    if (found := known(name)) is None:
        raise ValueError(f"must be one of: {', '.join(languages())}")
    return found


def split_commas(text: str) -> list[str]:
    """The parts of a setting written with commas."""
    return [part.strip() for part in text.split(",") if part.strip()]


def one_line(text: str) -> str:
    """A text for headers and footers.

    Raises:
        ValueError: it has a line break or another control character.
    """
    if any(ord(character) < 32 for character in text):
        raise ValueError("must be one line without control characters")
    return text


def greeting(name: str) -> str:
    """A full host name or an address literal (RFC 5321 §4.1.3).

    Raises:
        ValueError: it is neither.
    """
    if not _EHLO_NAME.fullmatch(name):
        raise ValueError("must be a full host name like mail.example.org, or like [203.0.113.7]")
    return name


def check_sources(names: Sequence[str]) -> None:
    """Refuse names that no source has.

    Raises:
        ValueError: names the first of them, and all that there are.
    """
    unknown = [name for name in names if name not in SOURCE_NAMES]
    if unknown:
        raise ValueError(f"unknown source {unknown[0]!r}; known sources: {', '.join(SOURCE_NAMES)}")


def split_mailbox(text: str) -> tuple[str, str]:
    """Name and address of ``Name <address>``; of an address alone, no name."""
    found = _NAMED_ADDRESS.fullmatch(text.strip())
    if found is None:
        return "", text
    return found["name"].strip().strip('"').strip(), found["address"].strip()


def split_rates(text: str) -> dict[str, float]:
    """Messages a second by domain, from ``example.org=5,example.com=0.5``.

    Raises:
        ValueError: names the part that has another form.
    """
    rates = {}
    for part in filter(None, (part.strip() for part in text.split(","))):
        domain, _, rate = part.partition("=")
        try:
            rates[domain.strip().lower()] = float(rate)
        except ValueError as error:
            raise ValueError(f"{part!r} must have the form example.org=5") from error
    return rates


def check_each(values: Sequence[str], pattern: str, what: str) -> None:
    """Refuse values that do not match ``pattern`` as a whole.

    Raises:
        ValueError: names the first of them and ``what`` it is not.
    """
    for value in values:
        if not re.fullmatch(pattern, value):
            raise ValueError(f"{value!r} is not {what}")


def mail_address(text: str) -> str:
    """A mail address, its domain as an A-label.

    Raises:
        ValueError: not an address.
    """
    if is_plain_address(text):
        return text
    # Few addresses need the library, and every command would wait for it.
    from email_validator import EmailNotValidError, validate_email  # noqa: PLC0415

    try:
        checked = validate_email(text, check_deliverability=False, test_environment=True)
    except EmailNotValidError as error:
        raise ValueError(f"{text!r} {what_is_wrong(text)}") from error
    if checked.ascii_email is None:
        raise ValueError("not a mail address: the part before the @ must be ASCII")
    return checked.ascii_email


def web_address(text: str) -> str:
    """The address of a site, without a slash at its end.

    Raises:
        ValueError: not one that links can be made from.
    """
    check_server_url(text, ("http", "https"))
    if urlsplit(text).query:
        raise ValueError("must have the form https://host or https://host/path")
    return text.rstrip("/")
