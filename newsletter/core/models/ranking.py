"""What is learned: the feature space, the vectors of papers, the profiles of topics."""

from datetime import datetime
from typing import ClassVar

from sqlalchemy import Column, LargeBinary
from sqlmodel import Field, SQLModel

from newsletter.core.models.base import foreign_key, utc_column


class Space(SQLModel, table=True):
    """What all topics share, as npz bytes; the newest row is the current one.

    ``parameters`` are the feature space's; ``collaboration`` is what others liked, where a
    check on held-out feedback said that it helps. The ids are digests of the content.
    """

    __tablename__: ClassVar[str] = "feature_space"

    id: str = Field(primary_key=True, max_length=64)
    model: str = Field(max_length=200)
    papers: int = 0  # how many it was fitted on
    parameters: bytes = Field(sa_column=Column(LargeBinary, nullable=False))
    collaboration_id: str = Field(default="", max_length=16)
    collaboration: bytes | None = Field(default=None, sa_column=Column(LargeBinary))
    created_at: datetime = utc_column()


class PaperVector(SQLModel, table=True):
    """A paper in one feature space: little-endian float16 numbers."""

    __tablename__: ClassVar[str] = "paper_vector"

    paper_id: int = foreign_key("paper.id", index=False, primary_key=True)
    feature_space: str = Field(max_length=64)
    vector: bytes = Field(sa_column=Column(LargeBinary, nullable=False))


class Profile(SQLModel, table=True):
    """The learned state of one topic: its evidence added up, in one feature space.

    ``coefficients`` are the sums over likes, dislikes and stated texts, faded to ``trained_at``,
    as `profiles.packing` writes them; the weights are what went into the first two.
    """

    __tablename__: ClassVar[str] = "profile"

    topic_id: int = foreign_key("topic.id", index=False, primary_key=True)
    version: int = 1
    feature_space: str = Field(max_length=80)  # with the id of what others liked
    coefficients: bytes = Field(sa_column=Column(LargeBinary, nullable=False))
    like_weight: float = 0.0
    dislike_weight: float = 0.0
    trained_at: datetime = utc_column()


class MatchCalibration(SQLModel, table=True):
    """How a site's judgements stretch and shift the match, from ``created_at`` on."""

    __tablename__: ClassVar[str] = "match_calibration"

    id: int | None = Field(default=None, primary_key=True)
    slope: float
    intercept: float
    judgements: int
    created_at: datetime = utc_column()
