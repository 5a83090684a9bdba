"""What comes back: bounces, provider reports and replies, and what they change."""
