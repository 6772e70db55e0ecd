"""A local object-storage service for tests, demos and benchmarks; imports nothing of tagfs."""
