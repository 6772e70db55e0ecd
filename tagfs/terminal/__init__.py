"""Sizes, times and counts for people."""
