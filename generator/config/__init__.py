"""model.yaml and tagship.yaml: schema, messages with places, and the workspace they describe."""
