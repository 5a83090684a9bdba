"""A digest to signed MIME bytes: what a mail says, and how it is encoded."""
