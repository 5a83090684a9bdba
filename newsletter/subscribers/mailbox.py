"""One name for the mailbox that several spellings of an address lead to. Pure."""

# Providers where dots in the local part mean nothing, and where a hyphen starts a tag.
_DOTLESS = frozenset({"gmail.com", "googlemail.com"})
_HYPHENS = ("yahoo.", "ymail.com", "rocketmail.com")


def mailbox_of(email: str) -> str:
    """One name for the mailbox that spellings of an address lead to; for counting only.

    What follows a plus sign is a tag nearly everywhere (RFC 5233); who reads it otherwise only
    shares a count. Takes anything; what is no address is its own mailbox.
    """
    local, at, domain = email.strip().lower().rpartition("@")
    local = local.split("+", 1)[0] or local
    if domain in _DOTLESS:
        local, domain = local.replace(".", ""), "gmail.com"
    if domain.startswith(_HYPHENS):
        local = local.split("-", 1)[0] or local
    return f"{local}{at}{domain}"
