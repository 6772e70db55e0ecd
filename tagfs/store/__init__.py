"""A bucket, whoever serves it; knows no path, errno, stat or FUSE."""
