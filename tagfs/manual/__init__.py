"""What people read: mount options, examples, man pages and completions, each from one source."""
