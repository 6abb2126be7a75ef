"""When, where, and what is on a card."""
