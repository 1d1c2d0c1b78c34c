"""What the server says of itself and of its model: OpenAPI, examples that work, pages for people."""
