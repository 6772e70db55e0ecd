"""In what the services differ, as data, and their signatures."""
