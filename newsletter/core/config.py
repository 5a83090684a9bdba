"""Settings: read once by an entry point, passed down, never read at import.
They come from ``NEWSLETTER_*`` variables, then from ``newsletter.toml`` in the working folder;
a variable wins over the file. `load_settings` turns any mistake into one line.
"""

import tomllib
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    AliasChoices,
    Field,
    SecretStr,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)
from pydantic_settings import (
    BaseSettings,
    NoDecode,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from newsletter.core import language
from newsletter.core.errors import SettingsError
from newsletter.core.optional_settings import OptionalSettings
from newsletter.core.secrets import check_secret
from newsletter.core.setting_checks import (
    a_language,
    check_each,
    check_server_url,
    check_sources,
    greeting,
    in_our_words,
    mail_address,
    one_line,
    split_commas,
    split_mailbox,
    split_rates,
    web_address,
)

SETTINGS_FILE = Path("newsletter.toml")
SLOWEST = 1 / 86_400
Line = Annotated[str, AfterValidator(one_line)]
LISTS = (
    *("secret_keys", "inbound_mailboxes", "sources"),
    *("arxiv_categories", "search_terms", "openreview_venues"),
)


class Settings(OptionalSettings):
    """Everything an operator can set. A test checks that README.md explains each setting."""

    model_config = SettingsConfigDict(
        env_prefix="NEWSLETTER_",
        env_ignore_empty=True,
        toml_file=SETTINGS_FILE,
        extra="forbid",
        frozen=True,
        hide_input_in_errors=True,
        populate_by_name=True,
    )

    database_url: str = Field(
        default="sqlite:///newsletter.db", description="SQLAlchemy URL of the database"
    )
    smtp_url: SecretStr | None = Field(
        default=None,
        description="relay: `smtp://user:password@host:port?starttls=true`, or `smtps://…`; "
        "several, separated by spaces, share by `weight=3`, each up to `rate=14/s`, and fail over",
    )
    base_url: Annotated[str, AfterValidator(web_address)] = Field(
        default="http://127.0.0.1:8000", description="where readers reach `newsletter serve`"
    )
    secret_keys: Annotated[tuple[SecretStr, ...], NoDecode] = Field(
        default=(), description="keys that sign links, newest first, comma-separated"
    )
    from_address: Annotated[str, AfterValidator(mail_address)] | None = Field(
        default=None,
        validation_alias=AliasChoices("NEWSLETTER_FROM", "from"),
        description="the From address of every mail",
    )
    from_name: Line | None = Field(
        default=None, description="the name beside the From address; the site's name unless set"
    )
    ehlo_name: Annotated[str, AfterValidator(greeting)] | None = Field(
        default=None,
        description="the name that relays are greeted with; this host's full name unless set",
    )
    site_name: Line = Field(default="Paper digest", description="the name readers see")
    language: Annotated[str, AfterValidator(a_language)] = Field(
        default="en", description="language of new subscribers and public pages: `en` or `de`"
    )
    postal_address: Line | None = Field(
        default=None,
        description="postal address in the footer of every mail, as anti-spam laws require",
    )
    count_clicks: bool = Field(
        default=False,
        description="count clicks on papers with a redirect; the privacy page then says so",
    )
    trusted_proxies: str = Field(
        default="",
        description="reverse proxies whose X-Forwarded-For is trusted, comma-separated addresses",
    )
    dkim_key_file: Path | None = Field(
        default=None, description="PEM file with the RSA key that signs the mails"
    )
    dkim_selector: str = Field(default="newsletter", description="DKIM selector")
    dkim_ed25519_key_file: Path | None = Field(
        default=None, description="PEM file with an Ed25519 key for a second signature"
    )
    dkim_ed25519_selector: str = Field(
        default="newsletter-ed25519", description="DKIM selector of the second signature"
    )
    dkim_domain: str | None = Field(
        default=None, description="DKIM domain; the From address's domain unless set"
    )
    bounce_domain: str | None = Field(
        default=None, description="domain of the envelope sender; the From address's unless set"
    )
    imap_url: SecretStr | None = Field(
        default=None,
        description="mailbox that receives bounces: imaps://user:password@host/INBOX",
    )
    inbound_mailboxes: Annotated[tuple[str, ...], NoDecode] = Field(
        default=(),
        description="what else `inbound --listen` takes mail for, beside From's own mailbox, "
        "postmaster, abuse, bounces and fbl: local parts, separated by commas",
    )
    ses_topic_arn: str | None = Field(
        default=None, description="SNS topic of Amazon SES notifications; enables /webhooks/ses"
    )
    sendgrid_webhook_key: str | None = Field(
        default=None,
        description="verification key of SendGrid's signed events; enables /webhooks/sendgrid",
    )
    postmark_webhook_password: SecretStr | None = Field(
        default=None,
        description="user:password that Postmark sends; enables /webhooks/postmark",
    )
    mailgun_webhook_key: SecretStr | None = Field(
        default=None, description="Mailgun's webhook signing key; enables /webhooks/mailgun"
    )
    pause_above_bounces: float = Field(
        default=0.05, ge=0, le=1, description="bounce rate above which a send run pauses"
    )
    pause_above_complaints: float = Field(
        default=0.003, ge=0, le=1, description="complaint rate above which a send run pauses"
    )
    sources: Annotated[tuple[str, ...], NoDecode] = Field(
        default=("hf", "arxiv", "feeds"),
        description="sources that `newsletter ingest` reads by default, comma-separated: "
        "hf, arxiv, arxiv-rss, arxiv-oai, biorxiv, medrxiv, semantic-scholar, openalex, crossref, "
        "pubmed, openreview, feeds",
    )
    arxiv_categories: Annotated[tuple[str, ...], NoDecode] = Field(
        default=("cs.AI", "cs.CL", "cs.CV", "cs.LG", "stat.ML"),
        description="arXiv categories to read, comma-separated",
    )
    search_terms: Annotated[tuple[str, ...], NoDecode] = Field(
        default=(),
        description="terms for semantic-scholar, openalex, crossref, pubmed, comma-separated",
    )
    max_paper_age_days: int = Field(
        default=365,
        ge=0,
        le=100_000,
        description="papers published more days ago are stored and are no news; 0 for no limit",
    )
    look_up_papers: bool = Field(
        default=True, description="ask sources for papers that readers named and that are not here"
    )
    openreview_venues: Annotated[tuple[str, ...], NoDecode] = Field(
        default=(),
        description="OpenReview venues to read, comma-separated, such as ICLR.cc/2027/Conference",
    )
    feeds: Annotated[tuple[str, ...], NoDecode] = Field(
        default=(), description="URLs of RSS, Atom or JSON feeds, separated by spaces"
    )
    contact: Annotated[str, AfterValidator(mail_address)] | None = Field(
        default=None,
        description="email address at which sources can reach you; sent with each request",
    )

    rate: float | None = Field(
        default=None, ge=SLOWEST, description="messages per second, over all processes and machines"
    )
    domain_rates: Annotated[dict[str, float], NoDecode] = Field(
        default={},
        description="messages per second to one recipient domain: `example.org=5,example.com=0.5`",
    )
    warm_up: Annotated[tuple[int, ...], NoDecode] = Field(
        default=(),
        description="messages on the first, second, … day of mailing, to warm up a new sending "
        "address: `200,500,1000,2000`; no limit afterwards",
    )
    uncertain: Literal["resend", "hold"] = Field(
        default="resend",
        description="what to do with mail that a relay may or may not have accepted: `resend` it "
        "once, or `hold` it for `newsletter retry --status uncertain`",
    )
    sqlite_synchronous: Literal["NORMAL", "FULL"] = Field(
        default="NORMAL",
        description="`FULL` loses nothing in a power cut; `NORMAL` is faster, but a power cut can "
        "lose the last commits, and their mails may be sent twice",
    )
    metrics_file: Path | None = Field(
        default=None,
        description="file that `newsletter send` writes its metrics to, for Prometheus' textfile "
        "collector",
    )
    metrics_token: SecretStr | None = Field(
        default=None,
        min_length=16,
        description="bearer token that Prometheus sends; enables /metrics",
    )

    feature_model: str = Field(
        default="wordllama",
        description="text encoder: wordllama, or the name, folder or package of a "
        "sentence-transformers model (an ONNX export needs the extra `onnx`, others `semantic`)",
    )

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Arguments first (tests, demo), then the environment, then the file."""
        return init_settings, env_settings, TomlConfigSettingsSource(settings_cls)

    @field_validator(*LISTS, mode="before")
    @classmethod
    def _split_list(cls, value: Any) -> Any:
        if not isinstance(value, str):
            return value
        return [key.strip() for key in value.split(",") if key.strip()]

    @field_validator("feeds", mode="before")
    @classmethod
    def _split_addresses(cls, value: Any) -> Any:
        return value.split() if isinstance(value, str) else value

    @field_validator("feeds")
    @classmethod
    def _feed_addresses(cls, values: tuple[str, ...]) -> tuple[str, ...]:
        check_each(values, r"https?://[^\s/]+\S*", "a URL like https://host/path")
        return values

    @field_validator("openreview_venues")
    @classmethod
    def _venues(cls, values: tuple[str, ...]) -> tuple[str, ...]:
        example = "an OpenReview venue like ICLR.cc/2027/Conference"
        check_each(values, r"[\w.-]+(/[\w.-]+)+", example)
        return values

    @field_validator("domain_rates", mode="before")
    @classmethod
    def _split_rates(cls, value: Any) -> Any:
        return split_rates(value) if isinstance(value, str) else value

    @field_validator("domain_rates")
    @classmethod
    def _some_rate(cls, value: dict[str, float]) -> dict[str, float]:
        # At less than one a day the digest of tomorrow waits for that of today.
        if not all(domain and SLOWEST <= rate < float("inf") for domain, rate in value.items()):
            raise ValueError("each rate must be a number of messages per second, above 0")
        return value

    @field_validator("warm_up", mode="before")
    @classmethod
    def _split_days(cls, value: Any) -> Any:
        return split_commas(value) if isinstance(value, str) else value

    @field_validator("warm_up")
    @classmethod
    def _some_a_day(cls, value: tuple[int, ...]) -> tuple[int, ...]:
        if any(day < 1 for day in value):
            raise ValueError("each day needs a whole number of messages, 1 or more")
        return value

    @field_validator("secret_keys")
    @classmethod
    def _strong_keys(cls, keys: tuple[SecretStr, ...]) -> tuple[SecretStr, ...]:
        for key in keys:
            check_secret(key.get_secret_value())
        return keys

    @field_validator("smtp_url", "imap_url")
    @classmethod
    def _server(cls, value: SecretStr | None, info: ValidationInfo) -> SecretStr | None:
        schemes = ("smtp", "smtps") if info.field_name == "smtp_url" else ("imap", "imaps")
        for url in value.get_secret_value().split() if value is not None else ():
            check_server_url(url, schemes)
        return value

    @model_validator(mode="before")
    @classmethod
    def _split_from(cls, values: dict[str, Any]) -> dict[str, Any]:
        """Take a name from the From setting, where it has one."""
        for key in ("NEWSLETTER_FROM", "from", "from_address"):
            if isinstance(given := values.get(key), str):
                name, address = split_mailbox(given)
                named = {} if values.get("from_name") or not name else {"from_name": name}
                values = {**values, key: address, **named}
        return values

    @field_validator("sources")
    @classmethod
    def _known_sources(cls, values: tuple[str, ...]) -> tuple[str, ...]:
        check_sources(values)
        return values

    @field_validator("arxiv_categories")
    @classmethod
    def _categories(cls, values: tuple[str, ...]) -> tuple[str, ...]:
        check_each(values, r"[a-z-]+(\.[A-Za-z-]+)?", "an arXiv category like cs.CL")
        return values

    @property
    def max_paper_age(self) -> timedelta | None:
        """How old a paper may be to count as new; None for no limit."""
        return timedelta(days=self.max_paper_age_days) if self.max_paper_age_days else None

    @property
    def keys(self) -> tuple[str, ...]:
        """The signing keys in clear, newest first, for the one place that signs."""
        return tuple(key.get_secret_value() for key in self.secret_keys)

    @property
    def relay_url(self) -> str:
        """The relays' URLs in clear, passwords and all; never print them."""
        return self.smtp_url.get_secret_value() if self.smtp_url else ""

    @property
    def from_domain(self) -> str:
        """The operator's own domain: that of the From address."""
        return (self.from_address or "localhost").rpartition("@")[2]

    def require(self, *names: str) -> None:
        """Check that the named settings are given.

        Raises:
            SettingsError: names all that are missing, as the variables an operator would set.
        """
        missing = [variable_name(name) for name in names if not getattr(self, name)]
        if missing:
            raise SettingsError(
                f"missing setting: {', '.join(missing)} (set the variable, or write it in "
                f"{SETTINGS_FILE}; README.md, Settings)"
            )


def variable_name(field: str) -> str:
    """The environment variable that sets ``field``."""
    return "NEWSLETTER_FROM" if field == "from_address" else f"NEWSLETTER_{field.upper()}"


def load_settings(**overrides: Any) -> Settings:
    """Settings from arguments, environment and file, in this order.

    Raises:
        SettingsError: one line that names the first bad setting and what is wrong with it.
    """
    try:
        settings = Settings(**overrides)
        language.set_site(settings.language)
        return settings
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        name = str(first["loc"][0]) if first["loc"] else "settings"
        if first["type"] == "extra_forbidden":
            raise SettingsError(f"{SETTINGS_FILE}: unknown setting {name!r}") from error
        field = "from_address" if name == "from" else name
        shown = name if name.isupper() else variable_name(field)
        raise SettingsError(f"{shown}: {in_our_words(first)}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(
            f'{SETTINGS_FILE}: {error}; each line must have the form name = "value"'
        ) from error
    except OSError as error:
        raise SettingsError(f"{SETTINGS_FILE}: {error}") from error


def bundled(name: str) -> Path:
    """Folder of ``templates`` or ``alembic``: inside the wheel, else beside the package."""
    package = Path(__file__).parent.parent
    inside = package / "_bundled" / name
    return inside if inside.is_dir() else package.parent / name
