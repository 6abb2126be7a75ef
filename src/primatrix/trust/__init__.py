"""Calibration, promises, evaluation."""
