"""What subscribers stated and judged, and the topic vectors learned from it."""
