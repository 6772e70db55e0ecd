"""What crashed mounts left in their staging directories: found, shown, finished or copied out."""
