"""What an object's key and metadata mean as a path, a stat and an xattr; pure."""
