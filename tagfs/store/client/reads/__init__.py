"""What is there: heads, listings, content."""
