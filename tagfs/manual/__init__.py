"""What people read of a command: its examples, and completions of the shells."""
