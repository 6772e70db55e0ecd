"""`tagfs status`: the mounts of this host, and how one of them fares."""
