"""Where each model stands in each environment right now, from the training of a tag to what answers."""
