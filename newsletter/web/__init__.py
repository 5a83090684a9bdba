"""The pages behind the links, and the webhooks. GET shows, POST acts."""

from newsletter.web.app import create_app

__all__ = ["create_app"]
