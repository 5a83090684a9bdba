"""Hooks of the documentation site: navigation from folders, reference pages from the code."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import typer
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

from newsletter.cli import make_app
from newsletter.core.config import Settings, variable_name

# The four parts of the site, in the order a newcomer needs them.
PARTS = {
    "tutorial": "Tutorial",
    "how-to": "How-to guides",
    "reference": "Reference",
    "explanation": "Explanation",
}
GENERATED = {
    "reference/commands.md": lambda: commands_page(),
    "reference/settings.md": lambda: settings_page(),
}


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Fill in the navigation: every page of each part, by file name."""
    docs = Path(config.docs_dir)
    config.nav = [{"Home": "index.md"}, *({PARTS[part]: pages(docs, part)} for part in PARTS)]
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages that are written by the code itself."""
    for path, page in GENERATED.items():
        files.append(File.generated(config, path, content=page()))
    return files


def pages(docs: Path, part: str) -> list[Any]:
    """The pages of a folder, then those of its folders; an index comes first."""
    made = {path for path in GENERATED if path.startswith(f"{part}/") and path.count("/") == 1}
    found = {path.relative_to(docs).as_posix() for path in (docs / part).glob("*.md")} | made
    inner = sorted(
        path.relative_to(docs).as_posix() for path in (docs / part).iterdir() if path.is_dir()
    )
    ordered: list[Any] = sorted(found, key=lambda path: (not path.endswith("/index.md"), path))
    return ordered + [
        {folder.rpartition("/")[2].capitalize(): pages(docs, folder)} for folder in inner
    ]


def settings_page() -> str:
    """Every setting with its type, default and description."""
    lines = [
        "# Settings",
        "",
        "Set each one as an environment variable, or in `newsletter.toml` in the working folder under",
        "the same name in lower case without the prefix. A variable wins over the file.",
        "",
        "| variable | in `newsletter.toml` | means | default |",
        "|---|---|---|---|",
    ]
    for name, field in Settings.model_fields.items():
        variable = variable_name(name)
        default = "" if field.default in (None, (), "", {}) else f"`{field.default}`"
        in_file = variable.removeprefix("NEWSLETTER_").lower()
        meaning = (field.description or "").replace("|", "\\|")
        lines.append(f"| `{variable}` | `{in_file}` | {meaning} | {default} |")
    return "\n".join(lines) + "\n"


def commands_page() -> str:
    """Every command with its help text, arguments and options."""
    lines = [
        "# Commands",
        "",
        "Exit codes: 0 done; 1 done, but some deliveries or papers failed; 2 wrong use or settings;",
        "3 interrupted, run the same command again to continue.",
        "",
    ]
    for name, command in commands(typer.main.get_command(make_app()), "newsletter"):
        lines += [f"## `{name}`", "", (command.help or "").strip().replace("\b", ""), ""]
        rows = [row for parameter in command.params if (row := _parameter(parameter))]
        if rows:
            lines += ["| argument or option | means | default |", "|---|---|---|", *rows, ""]
    return "\n".join(lines)


def commands(command: click.Command, name: str) -> Iterator[tuple[str, click.Command]]:
    """Every command that does something, by its full name; groups are only their members."""
    members = getattr(command, "commands", None)
    if members is None:
        yield name, command
        return
    for member, inner in members.items():
        yield from commands(inner, f"{name} {member}")


def _parameter(parameter: click.Parameter) -> str:
    if parameter.name == "help":
        return ""
    meaning = (getattr(parameter, "help", None) or "").replace("|", "\\|")
    if isinstance(parameter.type, click.Choice):
        meaning = f"{meaning} One of: {', '.join(map(str, parameter.type.choices))}.".strip()
    shown = ", ".join(f"`{each}`" for each in (*parameter.opts, *parameter.secondary_opts))
    if parameter.param_type_name == "argument":
        shown = f"`{parameter.make_metavar(click.Context(click.Command('x')))}`"
    default = parameter.default
    hidden = default is None or callable(default) or default in (False, "", ())
    return f"| {shown} | {meaning} | {'' if hidden else f'`{default}`'} |"
