"""From a tag to an answer: each link that ties what a user gets to code and data, and whether it holds."""
