"""Deletions: one key, many, and what a refusal tells of rights."""
