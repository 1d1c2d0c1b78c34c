"""What has to be there before the first release: a repository's settings, an account's roles."""
