"""Settings of the tests of a client's parts."""

import logging

import pytest


@pytest.fixture(autouse=True)
def warnings_alone(caplog: pytest.LogCaptureFixture) -> None:
    """Let a test see warnings alone, whatever level another test has set."""
    caplog.set_level(logging.WARNING)
