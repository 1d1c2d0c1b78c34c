"""What a body means: every form of a request, checked against the schema, as arrays."""
