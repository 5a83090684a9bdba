"""Mails from files, Maildir folders and standard input."""

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from newsletter.core.errors import InputError
from newsletter.inbound.bounces.mime import LONGEST_MAIL

STANDARD_INPUT = "-"
_CHUNK = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Incoming:
    """One mail: where it came from, its first mebibyte, and its whole size in bytes."""

    name: str
    data: bytes
    size: int
    # In a Maildir, the file to mark as seen once the mail is dealt with.
    maildir_file: Path | None = None

    def mark_seen(self) -> None:
        """Move a Maildir's mail to ``cur`` with the flag S, as mail programs do when it was read.

        A mail that another program moved meanwhile is left alone.
        """
        if self.maildir_file is None:
            return
        name, _, flags = self.maildir_file.name.partition(":2,")
        seen = "".join(sorted({*flags, "S"}))
        target = self.maildir_file.parent.parent / "cur" / f"{name}:2,{seen}"
        target.parent.mkdir(exist_ok=True)
        self.maildir_file.rename(target)


def mails(names: list[str]) -> Iterator[Incoming]:
    """The mails in ``names``: files, Maildirs (unseen mail), folders of files, ``-``.

    Raises:
        InputError: a name stands for nothing that can be read.
    """
    for name in names:
        if name == STANDARD_INPUT:
            yield _from_standard_input()
            continue
        path = Path(name)
        if not path.is_dir():
            yield _from_file(path)
        elif (path / "new").is_dir() or (path / "cur").is_dir():
            yield from (_from_file(file, in_maildir=True) for file in _unseen(path))
        else:
            files = sorted(file for file in path.iterdir() if file.is_file())
            yield from (_from_file(file) for file in files)


def _unseen(maildir: Path) -> list[Path]:
    """Unread mails: all of ``new``, and those of ``cur`` without the flag S."""
    new = [file for file in (maildir / "new").glob("[!.]*") if file.is_file()]
    old = [
        file
        for file in (maildir / "cur").glob("[!.]*")
        if file.is_file() and "S" not in file.name.rpartition(":2,")[2]
    ]
    return sorted([*new, *old], key=lambda file: file.name)


def _from_file(path: Path, *, in_maildir: bool = False) -> Incoming:
    try:
        with path.open("rb") as file:
            data = file.read(LONGEST_MAIL)
        size = path.stat().st_size
    except OSError as error:
        raise InputError(f"cannot be read: {error.strerror}", where=str(path)) from error
    return Incoming(str(path), data, size, path if in_maildir else None)


def _from_standard_input() -> Incoming:
    """The mail an MTA pipes in; all of it is taken, or the MTA would see a broken pipe."""
    stream = sys.stdin.buffer
    data = stream.read(LONGEST_MAIL)
    size = len(data)
    while more := stream.read(_CHUNK):
        size += len(more)
    return Incoming(STANDARD_INPUT, data, size)
