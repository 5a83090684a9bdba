"""Providers' webhooks: one file each verifies a request and maps it to our outcomes."""
