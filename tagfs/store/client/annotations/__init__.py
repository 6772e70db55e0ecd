"""Annotations of S3: read, written, carried from version to version."""
