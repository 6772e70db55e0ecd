"""A bucket in memory, with the rules of OSS."""
