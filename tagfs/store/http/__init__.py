"""One HTTP request and its response: connections, retries, signatures, errors."""
