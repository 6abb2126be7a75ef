"""A run's tables as a folder."""
