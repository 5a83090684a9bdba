"""Trials of one recipe against another, and which recipe a site uses."""

from datetime import datetime
from enum import StrEnum
from typing import Any, ClassVar

from sqlalchemy import JSON, CheckConstraint, Column
from sqlmodel import Field, SQLModel

from newsletter.core.models.base import foreign_key, optional_status_column, utc_column


class TrialOutcome(StrEnum):
    """How a trial ended, seen from the challenger; stopped is the operator's doing."""

    BETTER = "better"
    WORSE = "worse"
    NO_DIFFERENCE = "no_difference"
    STOPPED = "stopped"


class Trial(SQLModel, table=True):
    """Two recipes compared in everybody's digests. Only one trial runs at a time.

    ``is_running`` is true or NULL: its uniqueness is what keeps a second trial from starting.
    ``figures`` are the counts at the end, see `editions.trial_test`.
    """

    __tablename__: ClassVar[str] = "trial"
    __table_args__ = (
        CheckConstraint("control <> challenger", name="two_recipes"),
        CheckConstraint("days BETWEEN 1 AND 365", name="days"),
        CheckConstraint("margin > 0 AND margin < 1", name="margin"),
        CheckConstraint("is_running IS NULL OR is_running", name="running_or_null"),
        CheckConstraint(
            "(is_running IS NULL) = (outcome IS NOT NULL) "
            "AND (outcome IS NULL) = (ended_at IS NULL)",
            name="ended_with_outcome",
        ),
    )

    id: int | None = Field(default=None, primary_key=True)
    control: str = Field(max_length=40)
    challenger: str = Field(max_length=40)
    days: int
    margin: float
    is_running: bool | None = Field(default=True, unique=True)
    started_at: datetime = utc_column()
    ended_at: datetime | None = utc_column(nullable=True)
    outcome: TrialOutcome | None = optional_status_column(TrialOutcome)
    figures: dict[str, Any] | None = Field(
        default=None, sa_column=Column(JSON(none_as_null=True), nullable=True)
    )


class RecipeChoice(SQLModel, table=True):
    """The recipe in use from ``chosen_at`` on; the newest row counts. A trial or an operator's."""

    __tablename__: ClassVar[str] = "recipe_choice"

    id: int | None = Field(default=None, primary_key=True)
    recipe: str = Field(max_length=40)
    trial_id: int | None = foreign_key("trial.id", nullable=True)
    chosen_at: datetime = utc_column()
