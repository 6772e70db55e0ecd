"""A bucket that remembers: a `Bucket` around a `Bucket`."""
