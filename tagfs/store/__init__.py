"""A bucket of any service; knows no path, errno, stat or FUSE."""
