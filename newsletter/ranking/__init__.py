"""Papers and interests to a ranking: features, topic vectors, scores, selection, explanations."""
