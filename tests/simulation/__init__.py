"""The whole of fs and cache on a simulated clock, service and schedule: one seed is one run."""
