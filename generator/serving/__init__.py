"""`generator serve` and `generator request`: a model here, in the environment that its image would have."""
