"""Directories of links to the files whose tags match, made of what is known of their tags."""
