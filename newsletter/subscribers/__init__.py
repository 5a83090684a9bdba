"""People and what they asked for: sign-up, preferences, import and export, suppressions."""
