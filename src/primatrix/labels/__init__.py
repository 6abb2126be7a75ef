"""Who is in which clip."""
