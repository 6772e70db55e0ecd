"""Tags of objects and of the bucket: by requests, headers, listings, MetaQuery."""
