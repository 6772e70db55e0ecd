"""A bucket seen as a file tree; knows no HTTP, XML, header or dialect."""
