"""Footage to answers in time and place."""
