"""One date's issue: who is due, preparing and freezing it, previews, reports."""
