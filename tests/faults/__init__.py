"""What goes wrong between a client and its service, brought about on purpose."""
