"""Hooks of the documentation site: navigation from folders, reference pages from the code."""

import os
import re
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import Any

import typer
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

from newsletter.cli import COMMANDS, load
from newsletter.core.config import Settings, variable_name

# The four parts of the site, in the order a newcomer needs them.
PARTS = {
    "tutorial": "Tutorial",
    "how-to": "How-to guides",
    "reference": "Reference",
    "explanation": "Explanation",
}
# A link to a folder above.
_LINK_UP = re.compile(r"\[(?P<text>[^\]]+)\]\((?P<target>\.\./[^)#]+)(?:#(?P<anchor>[^)]+))?\)")
GENERATED = ("reference/commands.md", "reference/settings.md")
# In the repository these are read in the README.
WRITTEN_FROM = {
    ("README.md", "commands"): GENERATED[0],
    ("README.md", "settings"): GENERATED[1],
}


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Fill in the navigation: every page of each part, by file name."""
    docs = Path(config.docs_dir)
    config.nav = [{"Home": "index.md"}, *({PARTS[part]: pages(docs, part)} for part in PARTS)]
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages that are written by the code itself."""
    for path, content in zip(GENERATED, (commands_page(), settings_page()), strict=True):
        files.append(File.generated(config, path, content=content))
    return files


def on_page_markdown(markdown: str, *, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Make links that leave docs/ lead to a page of the site, or name the file.

    In the repository they lead to the file itself.
    """
    docs = Path(config.docs_dir)
    here = (docs / page.file.src_uri).parent

    def told(link: re.Match[str]) -> str:
        target = (here / link["target"]).resolve()
        if target.is_relative_to(docs):
            return link[0]
        if (target.name, link["anchor"]) in WRITTEN_FROM:
            page_of_it = docs / WRITTEN_FROM[target.name, link["anchor"]]
            return f"[{link['text']}]({os.path.relpath(page_of_it, here)})"
        return f"{link['text']} (`{target.relative_to(docs.parent)}` in the repository)"

    return _LINK_UP.sub(told, markdown)


def pages(docs: Path, part: str) -> list[Any]:
    """The pages of a folder, then those of its folders; an index comes first."""
    made = {path for path in GENERATED if path.startswith(f"{part}/")}
    found = {path.relative_to(docs).as_posix() for path in (docs / part).glob("*.md")} | made
    ordered: list[Any] = sorted(found, key=lambda path: (not path.endswith("/index.md"), path))
    for folder in sorted(path for path in (docs / part).iterdir() if path.is_dir()):
        inner = pages(docs, folder.relative_to(docs).as_posix())
        ordered.append({folder.name.capitalize(): inner})
    return ordered


def settings_page() -> str:
    """Every setting with its type, default and description."""
    lines = [
        "# Settings",
        "",
        "Set each one as an environment variable, or in `newsletter.toml` in the working folder",
        "by its name there. A variable wins over the file.",
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
        "Exit codes: 0 done; 1 done, but some deliveries or papers failed; 2 wrong use or",
        "settings; 3 interrupted, run the same command again to continue; 4 the relay cannot be",
        "reached or refused the login.",
        "",
    ]
    every = (commands(load(name), f"newsletter {name}") for name in COMMANDS)
    for command, context in chain.from_iterable(every):
        lines += [f"## `{context.info_name}`", "", (command.help or "").strip(), ""]
        records = [each.get_help_record(context) for each in command.params]
        rows = [f"| `{name}` | {_cell(said)} |" for name, said in filter(None, records)]
        if rows:
            lines += ["| argument or option | means |", "|---|---|", *rows, ""]
    return "\n".join(lines)


def commands(command: Any, name: str) -> Iterator[tuple[Any, typer.Context]]:
    """Every command that does something, with a context of its full name."""
    context = typer.Context(command, info_name=name)
    if not hasattr(command, "list_commands"):
        yield command, context
        return
    for member in command.list_commands(context):
        yield from commands(command.get_command(context, member), f"{name} {member}")


def _cell(text: str) -> str:
    """Text as it stands in a cell of a Markdown table."""
    return text.replace("|", "\\|").replace("[", "\\[")
