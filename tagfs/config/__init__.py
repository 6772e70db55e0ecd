"""What the user chose: options, where they come from, what they mean to a bucket."""
