"""What a pull request changes, as the text of its one comment: made from Git alone, on any machine."""
