"""What is typed: each command, in a module that is imported when the command is."""
