"""Side by side with what a user would pick instead. Run with `make bench`; the figures are ratios of one run."""
