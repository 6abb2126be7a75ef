"""Decoded clips and labels as batches."""
