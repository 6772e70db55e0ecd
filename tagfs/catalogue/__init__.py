"""What was learnt of one bucket, kept on this host: objects, their attributes and their tags."""
