"""What generated workflows must pass: linters, and rules of our own. Tests and `make check` use it."""
