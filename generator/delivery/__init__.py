"""Changes of an environment: commits to its overlay on the release branch that land whole or not at all."""
