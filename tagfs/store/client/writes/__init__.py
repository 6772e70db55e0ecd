"""An object written in one request, and what each write takes care of."""
