"""Rights of an object: read, remembered, carried along, edited."""
