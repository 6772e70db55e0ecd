"""What a mount tells: logs, the log of requests, its vital signs and their metrics."""
