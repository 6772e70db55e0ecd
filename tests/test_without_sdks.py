"""What runs in memory is collected and run where none of the vendors' SDKs is installed."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

SDKS = ("oss2", "alibabacloud_oss_v2", "obs", "boto3", "botocore", "moto")
IN_MEMORY = ("tests/unit", "tests/filesystem", "tests/contract")

BLOCKED = f"""
import sys
sys.modules.update(dict.fromkeys({SDKS!r}))  # an import of one of these is an ImportError
import pytest
sys.exit(pytest.main(sys.argv[1:]))
"""


@pytest.mark.slow
def test_tests_in_memory_need_no_sdk() -> None:
    """All are collected, and those of the contract that are in memory run."""
    one = "an_empty_bucket_lists_nothing and memory"
    command = [sys.executable, "-c", BLOCKED, "-q", "-n0", "-p", "no:cacheprovider", "-k", one]
    done = subprocess.run(
        [*command, *IN_MEMORY],
        cwd=Path(__file__).parent.parent,
        stdout=subprocess.PIPE,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-3000:]
    assert re.search(r"[1-9]\d* passed", done.stdout), done.stdout
