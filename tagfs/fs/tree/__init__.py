"""What a path is, and changes of names."""
