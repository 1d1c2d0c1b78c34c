"""Connections: sockets, bytes to requests, what is bounded, and what is said when it is too much."""
