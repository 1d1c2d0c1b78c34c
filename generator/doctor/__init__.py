"""`generator doctor`: looks at everything that a release meets, changes nothing, and says what to do."""
