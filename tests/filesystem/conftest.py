"""Settings of the tests of a whole file system in this process."""

from hypothesis import settings

settings.register_profile("fs", deadline=None)  # a busy machine is no failure
settings.load_profile("fs")
