"""A bucket over HTTP: every operation of the contract."""
