"""Large objects: parts, copied parts, completion."""
