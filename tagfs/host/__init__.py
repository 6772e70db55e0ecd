"""What a mount is to the host: a background process, signals, systemd, the mountpoint."""
