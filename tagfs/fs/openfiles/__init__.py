"""Open files, and what is still due to the bucket after their calls were answered."""
