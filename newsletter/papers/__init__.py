"""The catalogue of papers: ingest them, recognise those already known, find them again."""
