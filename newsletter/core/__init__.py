"""What every room stands on: settings, errors, the database and its tables, tokens, text."""
