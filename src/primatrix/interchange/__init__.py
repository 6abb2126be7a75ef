"""Other programs' formats, both ways."""
