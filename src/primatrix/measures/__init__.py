"""How good scores are, as arithmetic."""
