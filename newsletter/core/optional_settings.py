"""Settings of what a site can do without: each is off until it is set."""

from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, Field, SecretStr, field_validator
from pydantic_settings import BaseSettings, NoDecode

from newsletter.core.setting_checks import web_address

FIGURES_FROM = ("html", "pdf")


class OptionalSettings(BaseSettings):
    """Thumbnails of figures; papers in other words."""

    figures: Annotated[tuple[str, ...], NoDecode] = Field(
        default=(),
        description="where `newsletter figures` may take a paper's first figure from: `html`, "
        "`pdf`, or both, separated by commas; none unless set",
    )
    figures_folder: Path = Field(
        default=Path("figures"), description="folder that keeps the thumbnails"
    )
    figures_megabytes: int = Field(
        default=500, ge=1, description="size of that folder at most; the oldest thumbnails go first"
    )

    rephrase_url: Annotated[str, AfterValidator(web_address)] | None = Field(
        default=None,
        description="OpenAI-compatible endpoint that says papers in other words for `newsletter "
        "rephrase`, such as `http://127.0.0.1:11434/v1`; none unless set",
    )
    rephrase_model: str = Field(default="", description="name of the model there")
    rephrase_key: SecretStr | None = Field(default=None, description="key of that endpoint")

    @field_validator("rephrase_key")
    @classmethod
    def _plain_key(cls, value: SecretStr | None) -> SecretStr | None:
        """What cannot stand in a header would be shown by the error of the client."""
        key = value.get_secret_value().strip() if value else ""
        if not (key.isascii() and key.isprintable()) or " " in key:
            raise ValueError("must be one line of plain letters, digits and signs, without spaces")
        return SecretStr(key) if key else None

    @field_validator("figures", mode="before")
    @classmethod
    def _split_places(cls, value: Any) -> Any:
        if not isinstance(value, str):
            return value
        return [each.strip().lower() for each in value.split(",") if each.strip()]

    @field_validator("figures")
    @classmethod
    def _known_places(cls, values: tuple[str, ...]) -> tuple[str, ...]:
        unknown = [each for each in values if each not in FIGURES_FROM]
        if unknown:
            raise ValueError(f"{unknown[0][:40]!r} is not one of {', '.join(FIGURES_FROM)}")
        return values
