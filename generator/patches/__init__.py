"""The user's own patches of an overlay: whether each still does what it says, and where it does not."""
