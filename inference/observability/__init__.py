"""Figures, log lines and spans."""
