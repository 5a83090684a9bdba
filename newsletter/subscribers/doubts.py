"""What may be a mistake in what was typed: said as a warning, and taken all the same."""

from newsletter.core.categories import warning_about
from newsletter.core.models import InterestKind
from newsletter.subscribers.validation import TopicRequest

NO_INTERESTS = "no interests: only popular papers can be picked"


def doubts_about(topic: TopicRequest) -> list[str]:
    """One line for each doubt: a category that no known list has, or no interests at all."""
    if not any(clue.weight > 0 for clue in topic.clues):
        return [f"topic {topic.name!r} has {NO_INTERESTS}"]
    return doubtful_categories(topic)


def doubtful_categories(topic: TopicRequest) -> list[str]:
    """One line for each category that no known list has."""
    categories = [clue.value for clue in topic.clues if clue.kind is InterestKind.CATEGORY]
    return [doubt for category in categories if (doubt := warning_about(category))]
