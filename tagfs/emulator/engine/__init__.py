"""What every service does in the same way; how they differ is in their dialects."""
