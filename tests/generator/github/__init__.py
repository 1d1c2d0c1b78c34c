"""GitHub's REST API as its published description says it, on a loopback address: see server.py."""
