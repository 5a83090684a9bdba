"""`newsletter dkim`: the key that signs mails, and the DNS record that goes with it."""

import os
from pathlib import Path
from typing import Annotated

import typer
from cryptography.hazmat.primitives.asymmetric import ed25519, rsa
from rich.markup import escape

from newsletter.cli.console import err, out
from newsletter.core.config import Settings, load_settings
from newsletter.core.errors import UsageError
from newsletter.messages import dkim

dkim_commands = typer.Typer(help="Manage the DKIM key that signs mails.", no_args_is_help=True)
# RFC 1035 §3.3: a string in a TXT record has at most 255 octets; longer texts are several.
LONGEST_STRING = 255


@dkim_commands.callback()
def _group() -> None:
    """Manage the DKIM key that signs mails."""


@dkim_commands.command()
def keygen(
    file: Annotated[Path, typer.Argument(help="Where to write the private key.")] = Path(
        "dkim.pem"
    ),
    ed25519_key: Annotated[
        bool,
        typer.Option("--ed25519", help="Make an Ed25519 key, for a second signature besides RSA."),
    ] = False,
) -> None:
    """Make a key file that only its owner can read, and print the DNS record to publish."""
    key = dkim.new_key(ed25519.Ed25519PrivateKey if ed25519_key else rsa.RSAPrivateKey)
    try:
        # Exclusive: overwriting a key in use would break every signature until DNS follows.
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError as error:
        raise UsageError(f"{file} already exists: choose another file, or remove it") from error
    except OSError as error:
        raise UsageError(f"cannot write {file}: {error.strerror}") from error
    with os.fdopen(descriptor, "wb") as opened:
        opened.write(dkim.pem(key))
    settings = load_settings()
    err.print(f"wrote {escape(str(file))}; now publish this record in DNS:")
    _print_record(settings, key)
    name = "NEWSLETTER_DKIM_ED25519_KEY_FILE" if ed25519_key else "NEWSLETTER_DKIM_KEY_FILE"
    err.print(f"then set {name}={escape(str(file.resolve()))}, and run: newsletter doctor")


@dkim_commands.command()
def record() -> None:
    """Print the DNS records for the configured keys."""
    settings = load_settings()
    settings.require("from_address", "dkim_key_file")
    domain = (settings.from_address or "").rpartition("@")[2]
    for signature in dkim.signatures(settings, domain):
        _print_record(settings, signature.key)


def _print_record(settings: Settings, key: dkim.Key) -> None:
    is_rsa = isinstance(key, rsa.RSAPrivateKey)
    selector = settings.dkim_selector if is_rsa else settings.dkim_ed25519_selector
    domain = settings.dkim_domain or (settings.from_address or "").rpartition("@")[2]
    place = f"{selector}._domainkey.{domain or 'YOUR-DOMAIN'}."
    value = dkim.dns_value(key)
    starts = range(0, len(value), LONGEST_STRING)
    strings = " ".join(f'"{value[at : at + LONGEST_STRING]}"' for at in starts)
    out.print(f"{place} IN TXT {strings}", markup=False)
