"""Who tagfs is to a service: key pairs, where they are found and how they are renewed."""
