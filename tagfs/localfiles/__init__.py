"""Files on this host that are ours alone and lasting."""
