"""Rules about tags: which a new file gets, which it must have, and which may not be changed."""
