"""Objects on disk: contents in files, everything else in SQLite; knows nothing of HTTP."""
