"""Objects written once to learn what a server does."""
