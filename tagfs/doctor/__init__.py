"""`tagfs doctor`: what would keep a bucket from being mounted and used, and what to do about it."""
