"""Objects that the service copies: renames, edits of metadata, rewrites."""
