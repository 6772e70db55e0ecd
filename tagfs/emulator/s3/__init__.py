"""The S3 personality."""
