"""A formula as it grows on one line."""

from newsletter.core.formula import is_readable_script


class Line:
    """A formula as it grows: knows where two names would run into each other."""

    def __init__(self) -> None:
        self.text = ""
        # The last thing was a name, which a letter must not touch.
        self.is_name = False
        # White space that ended a macro's name: kept before what is no letter.
        self.has_loose_space = False

    def add(self, piece: str, *, name: bool = False) -> None:
        """Put ``piece`` behind what is there."""
        if not piece:
            return
        if piece in "⟩⌋⌉":
            self.text, self.has_loose_space = self.text.rstrip(), False
        last, first = self.text[-1:], piece[0]
        touches = last != "" and not last.isspace() and not first.isspace()
        if (
            self.has_loose_space and touches and not first.isalnum() and first not in "^_)]},.′"
        ) or (
            touches
            and (
                (self.is_name and first.isalnum()) or (name and (last.isalnum() or last in ")]}⟩′"))
            )
        ):
            self.text += " "
        self.text += piece
        self.is_name, self.has_loose_space = name, False

    def relate(self, sign: str) -> None:
        """A sign between two things: with space on both sides or on none, as before it."""
        parted = self.has_loose_space or self.text[-1:].isspace()
        self.add(sign)
        if parted and self.text.strip() != sign:
            self.text = f"{self.text[: -len(sign)].rstrip()} {sign} "
        self.has_loose_space = False

    def attach(self, shown: str) -> None:
        """A script, right at its base."""
        self.text = self.text.rstrip()
        if shown == "ᵒ" and (not self.text or self.text[-1].isdigit()):
            shown = "°"
        self.text += shown
        self.has_loose_space = False
        self.is_name = self.is_name or is_readable_script(shown)
