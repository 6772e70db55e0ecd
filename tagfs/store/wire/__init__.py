"""XML, headers and checksums as the services write them; pure."""
