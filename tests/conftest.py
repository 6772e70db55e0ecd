"""What all tests share: which of them need a local service, and which of them one worker runs."""

import gc
import os
import signal
import threading
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from xdist.scheduler import LoadScopeScheduling

HERE = Path(__file__).parent
WITH_SERVICE = ("emulator", "service")

settings.register_profile("steady", deadline=None)  # none depends on how fast a machine is
settings.load_profile("steady")
if chosen := os.environ.get("TAGFS_EXAMPLES"):  # few by scripts/quick, many by scripts/fuzz
    slow = [HealthCheck.too_slow]
    settings.register_profile(
        "chosen", max_examples=int(chosen), deadline=None, suppress_health_check=slow
    )
    settings.load_profile("chosen")

# No test, nor any program that one starts, asks the metadata service of the machine it runs on, or
# reads the settings of whoever runs it.
os.environ |= {
    "XDG_CONFIG_HOME": "/nonexistent",
    "ALIBABA_CLOUD_ECS_METADATA_DISABLED": "true",
    "AWS_EC2_METADATA_DISABLED": "true",
    "TAGFS_OBS_METADATA_ENDPOINT": "http://127.0.0.1:9",
}


# Nor does any go through the proxy of that machine, or trust what its user does.
PROXIES = ("http_proxy", "https_proxy", "all_proxy", "no_proxy")
TRUST = "AWS_CA_BUNDLE REQUESTS_CA_BUNDLE CURL_CA_BUNDLE SSL_CERT_FILE SSL_CERT_DIR".split()
for name in (*PROXIES, *map(str.upper, PROXIES), *TRUST):
    os.environ.pop(name, None)

# A shell that starts tests in the background has them ignore Ctrl-C, and all that they start too.
if threading.current_thread() is threading.main_thread():
    signal.signal(signal.SIGINT, signal.default_int_handler)


FIRST = (
    "service/test_ceph.py",  # and with it all that runs on the cluster
    "service/bulk/test_many.py",
    "mount/test_data_tools.py",
    "mount/test_variants.py",
    "mount/test_durability.py",
    "mount/test_recover.py",
    "mount/test_exec.py",
    "mount/test_model.py",
    "mount/test_crash_matrix.py",
    "service/store/test_fault_matrix.py",
    "mount/test_semantics.py",
    "mount/posix/test_own.py",
    "mount/test_budgets.py",
    "mount/test_foreign.py",
    "mount/test_startup.py",
)
"""The modules that take longest: with these left to the end, one worker would be alone with one."""


def place(item: pytest.Item) -> int:
    """Say how early a module is to begin."""
    where = item.path.relative_to(HERE).as_posix()
    if where in FIRST:
        return FIRST.index(where)
    return len(FIRST) + (not where.startswith("mount/"))


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if hasattr(config, "workerinput"):  # alone, tests run in the order of the directories
        items.sort(key=place)
    for item in items:
        where = item.path.relative_to(HERE).as_posix()
        parameters = getattr(getattr(item, "callspec", None), "params", {})
        over_http = where == "contract/test_bucket_contract.py" and "memory" not in str(parameters)
        if where.startswith(WITH_SERVICE) or over_http:
            item.add_marker(pytest.mark.service)


def pytest_collection_finish() -> None:
    """Spare the garbage collector what the modules of the tests are made of."""
    gc.collect()
    gc.freeze()


class ByModule(LoadScopeScheduling):  # type: ignore[misc]  # ships no types
    """Gives one worker whole modules, whose tests share services, and one of them the cluster.

    So it does with the mounts on which calls are compared with a local directory: there are six.
    """

    def _split_scope(self, nodeid: str) -> str:
        module = nodeid.partition("::")[0]
        if "mount/posix/" in module:
            return "posix"
        return "ceph" if "[ceph" in nodeid or module.endswith("service/test_ceph.py") else module


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> LoadScopeScheduling:
    config.option.loadscopereorder = False  # neither by the number of tests: see FIRST
    return ByModule(config, log)
