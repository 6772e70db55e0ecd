"""Content of objects that was read, kept on this host's disk for the next read."""
