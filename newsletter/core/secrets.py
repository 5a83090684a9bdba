"""Whether a secret can be guessed, and files that only their owner may read."""

import os
import re
import stat
from itertools import pairwise
from pathlib import Path

# A shorter key can be guessed offline from a single link (RFC 2104 §3 asks for the hash's output
# length, 32 octets).
SHORTEST_SECRET = 32
# 32 random hexadecimal digits hold some 14 different ones.
FEWEST_CHARACTERS = 8
# What repeats sooner is a word written several times.
SHORTEST_REPETITION = 15
_WORDS = re.compile(
    r"pass(?:word|phrase)?|secret|change|default|example|newsletter|letmein|admin|qwerty|welcome"
    r"|(?:0?123456789?0?)|abcdef(?:ghijklmnopqrstuvwxyz)?",
    re.IGNORECASE,
)
HOW = "make one with: python3 -c 'import secrets; print(secrets.token_hex(32))'"


def check_secret(secret: str) -> None:
    """Check that a key is long and varied enough to sign links with.

    Raises:
        ValueError: it is not; the line says why, without the key.
    """
    if len(secret) < SHORTEST_SECRET:
        raise ValueError(f"each key needs {SHORTEST_SECRET} characters or more; {HOW}")
    kinds = (r"[a-z]", r"[A-Z]", r"[0-9]", r"[^a-zA-Z0-9]")
    is_one_word = sum(re.search(kind, secret) is not None for kind in kinds) < 2
    left = _WORDS.sub("", secret)
    steps = {ord(after) - ord(before) for before, after in pairwise(secret)}
    if (
        len(set(secret)) < FEWEST_CHARACTERS
        or is_one_word
        or len(left) < SHORTEST_SECRET // 2
        or len(steps) < 3
        or _period(secret) < SHORTEST_REPETITION
    ):
        raise ValueError(f"a key is too easy to guess; {HOW}")


def _period(text: str) -> int:
    """After how many characters ``text`` repeats; its length when it does not."""
    return next((at for at in range(1, len(text)) if text.startswith(text[at:])), len(text))


def others_may_read(path: Path) -> bool:
    """Whether others than its owner may read or write a file.

    Raises:
        OSError: there is no such file, or it cannot be looked at.
    """
    return bool(path.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO))


def write_private(path: Path, data: bytes) -> None:
    """Write a file that only its owner can read; one that exists keeps its permissions.

    Raises:
        OSError: it cannot be written.
    """
    create_private(path)
    path.write_bytes(data)


def create_private(path: Path) -> None:
    """Make an empty file that only its owner can read, unless there is one already."""
    try:
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    except OSError:
        return  # there is one, or opening it will say what is wrong
