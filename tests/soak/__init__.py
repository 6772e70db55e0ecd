"""Long runs: what the suite does in seconds, for minutes and hours. See `scripts/soak`."""
