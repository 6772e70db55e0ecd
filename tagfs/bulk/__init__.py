"""Tags of many objects at once: the commands `tagfs tag ...`.

Works on buckets (`oss://bucket/key`) and on paths of a mount, where it asks the mount which bucket
it shows and then talks to the service itself. Only `tagfs.cli` knows this package.
"""
