"""What every table is made of: the metadata, and columns that several tables share."""

from enum import StrEnum
from typing import Any

from sqlalchemy import JSON, Column, Enum, ForeignKey, Integer, MetaData, Text
from sqlmodel import Field, SQLModel

from newsletter.core.database import UtcDateTime, utc_now

# Rows are not validated, the database does that: no validator is built until somebody asks for
# one. Building them all would be a tenth of what importing the tables takes.
SQLModel.model_config["defer_build"] = True
# For tables whose ids stand in links, feeds, open forms or files: SQLite would give the highest id
# again once its row is gone, and what names it would lead to another row.
IDS_USED_ONCE = {"sqlite_autoincrement": True}
# Named constraints: a migration can only drop what has a name.
SQLModel.metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)


def status_column(kind: type[StrEnum], *, default: Any = ..., **options: Any) -> Any:
    """A text column that holds one of ``kind``'s values, and nothing else (CHECK)."""
    column = Column(
        _one_of(kind),
        nullable=False,
        # Statements that insert many rows at once know the column only.
        default=None if default is ... else default,
        **options,
    )
    return Field(default, sa_column=column)


def optional_status_column(kind: type[StrEnum]) -> Any:
    """The same for a column that may be empty, and is unless given."""
    return Field(default=None, sa_column=Column(_one_of(kind), nullable=True))


def _one_of(kind: type[StrEnum]) -> Enum:
    return Enum(
        kind,
        native_enum=False,
        create_constraint=True,
        length=16,
        name=kind.__name__.lower(),
        values_callable=lambda members: [member.value for member in members],
    )


def foreign_key(target: str, *, nullable: bool = False, index: bool = True, **options: Any) -> Any:
    """A foreign key; rows go with what they belong to."""
    ondelete = "SET NULL" if nullable else "CASCADE"
    return Field(
        default=None,
        sa_column=Column(
            Integer,
            ForeignKey(target, ondelete=ondelete),
            nullable=nullable,
            index=index,
            **options,
        ),
    )


def utc_column(*, nullable: bool = False) -> Any:
    """A UTC moment; now unless given, or empty where that has a meaning."""
    if nullable:
        return Field(default=None, sa_column=Column(UtcDateTime, nullable=True))
    column = Column(UtcDateTime, nullable=False, default=utc_now)
    return Field(default_factory=utc_now, sa_column=column)


def strings_column() -> Any:
    """A JSON list of strings, empty unless given."""
    return Field(default_factory=list, sa_column=Column(JSON, nullable=False, default=list))


def text_column(default: str = "") -> Any:
    """A text of any length, never NULL."""
    return Field(default=default, sa_column=Column(Text, nullable=False, default=default))
