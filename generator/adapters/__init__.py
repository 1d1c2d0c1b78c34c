"""One door per outside system: only these modules start processes or talk to a network."""
