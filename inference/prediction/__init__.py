"""Asking the model: who waits, who goes together in one call, and the code of the user around it."""
