"""Settings of tests that only compute."""

from hypothesis import settings

settings.register_profile("fs", deadline=None)  # a busy machine is no failure
settings.load_profile("fs")
