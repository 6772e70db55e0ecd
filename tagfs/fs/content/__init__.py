"""The bytes of one file: read, staged, planned, uploaded, journalled."""
