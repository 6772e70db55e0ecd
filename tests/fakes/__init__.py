"""What stands in for a service in tests."""
