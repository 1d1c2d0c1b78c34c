"""The stages: each a function from frozen artifacts and ports to a frozen artifact. None imports another."""
