"""Wrong use of a command, in one line that names options as they are typed."""

from typing import Any

import typer

# What pydantic, which reads the values of options, calls its errors.
_WORDS = {
    "int_parsing": "is not a whole number",
    "int_from_float": "is not a whole number",
    "float_parsing": "is not a number",
    "greater_than_equal": "is less than {ge}",
    "less_than_equal": "is more than {le}",
}


def is_help(error: typer.TyperException) -> bool:
    """Whether a group was called without a command: its help is the answer then."""
    return type(error).__name__ == "NoArgsIsHelpError"


def in_one_line(error: typer.TyperException) -> str:
    """What is wrong with a command's options and arguments, and where to read about them."""
    context = getattr(error, "ctx", None)
    hint = f"; see `{context.command_path} --help`" if context is not None else ""
    return f"{_what(error)}{hint}"


def _what(error: typer.TyperException) -> str:
    param = getattr(error, "param", None)
    if param is None or not error.message:
        return " ".join(error.format_message().split()).rstrip(".")
    name = param.opts[0] if param.opts else param.name
    return f"{name}: {_bad_value(error)}"


def _bad_value(error: typer.TyperException) -> str:
    """What is wrong with a value; the message alone where a parser of ours wrote it."""
    find: Any = getattr(error.__cause__, "errors", None)
    if find is not None:
        first = find()[0]
        if words := _WORDS.get(first["type"]):
            return f"{first['input']!r} {words.format(**first.get('ctx', {}))}"
    return " ".join(error.message.removeprefix("Value error, ").split()).rstrip(".")
