"""What a repository's releases need outside of it, worked out first and made on request."""
