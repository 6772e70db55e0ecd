"""How the tree meets the kernel: one binding to each libfuse, and nothing else of tagfs."""
