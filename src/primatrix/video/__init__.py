"""A file to a Clip or a Failure; many, none lost."""
