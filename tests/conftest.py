"""What all tests share: which of them need a local service, and so are not for the quick gate."""

from pathlib import Path

import pytest

HERE = Path(__file__).parent
WITH_SERVICE = ("emulator", "bulk", "recovery", "store/test_client.py", "store/test_obs.py")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        where = item.path.relative_to(HERE).as_posix()
        parameters = getattr(getattr(item, "callspec", None), "params", {})
        over_http = where == "test_bucket_contract.py" and "memory" not in str(parameters)
        if where.startswith(WITH_SERVICE) or over_http:
            item.add_marker(pytest.mark.service)
