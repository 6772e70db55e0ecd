"""What a walk through directories will ask next, fetched before it asks."""
