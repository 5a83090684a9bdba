"""What subscribers stated and rated, and the topic vectors learned from it."""
