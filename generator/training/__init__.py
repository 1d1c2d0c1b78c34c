"""A training script as text and as process: what it must do, what it gets, and what its end means."""
