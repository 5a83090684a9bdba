"""Bounces in the shapes of many systems and languages, made up by hand, and mails that are none."""

from pathlib import Path

import pytest

from newsletter.inbound.bounces import Kind, read

FOLDER = Path(__file__).parent / "bounce_shapes"
SHAPES = sorted(FOLDER.glob("*.eml"))


def labelled(path: Path) -> tuple[list[str], bytes]:
    """The labels on top of a file, and the mail below them."""
    labels, mail = [], path.read_bytes()
    while mail.startswith(b"# "):
        line, _, mail = mail.partition(b"\n")
        labels.append(line[2:].decode())
    return labels, mail


@pytest.mark.parametrize("path", SHAPES, ids=lambda path: path.stem)
def test_every_shape_is_recognised(path: Path) -> None:
    labels, mail = labelled(path)
    outcome = read(mail)
    if " " not in labels[0]:
        assert outcome.kind == labels[0]
        return
    assert outcome.kind is Kind.BOUNCE
    read_as = [f"{each.permanence} {each.address.lower()}" for each in outcome.recipients]
    assert sorted(read_as) == sorted(labels)
