"""The wheel, installed outside the checkout: commands, man pages, mount(8), the demo."""

import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.emulated import Emulator, emulator
from tests.mounting import KEYS, REGION, wait_for

ROOT = Path(__file__).parent.parent

pytestmark = [pytest.mark.slow, pytest.mark.fuse, pytest.mark.service]


def pip(*args: str | Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "pip", "--disable-pip-version-check", *map(str, args)],
        capture_output=True,
        text=True,
        check=False,
        cwd="/",
    )
    assert done.returncode == 0, done.stderr


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A virtual environment with the wheel and what it needs."""
    work = tmp_path_factory.mktemp("wheel")
    pip("wheel", "-q", "--no-deps", "--no-build-isolation", "-w", work, ROOT)
    [wheel] = work.glob("tagfs_mount-*.whl")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", work / "venv"], check=True)
    pip("--python", work / "venv", "install", "-q", "--no-compile", f"{wheel}[emulator]")
    return work / "venv"


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    with emulator(tmp_path_factory.mktemp("service"), buckets=10) as running:
        yield running


def outside(venv: Path, **more: str) -> dict[str, str]:
    """Return an environment in which the checkout is nowhere."""
    clean = {k: v for k, v in os.environ.items() if not k.startswith(("PYTHON", "VIRTUAL_ENV"))}
    return {**clean, "PATH": f"{venv}/bin:{os.environ['PATH']}", **KEYS, **more}


def run(venv: Path, *args: str | Path) -> str:
    done = subprocess.run(
        [str(a) for a in args],
        env=outside(venv),
        cwd="/",
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done
    return done.stdout


def test_commands(installed: Path) -> None:
    version = run(installed, "tagfs", "--version")
    assert version.startswith("tagfs, version ")
    assert "mount" in run(installed, "tagfs", "--help")
    where = run(installed, installed / "bin/python", "-c", "import tagfs; print(tagfs.__file__)")
    assert where.startswith(str(installed))


def test_what_is_installed_beside_it(installed: Path) -> None:
    share = installed / "share"
    for name in ("tagfs.1", "tagfs-mount.8", "mount.fuse.tagfs.8"):
        assert (share / "man" / f"man{name[-1]}" / name).stat().st_size > 20
    assert (share / "bash-completion/completions/tagfs").exists()
    assert (share / "zsh/site-functions/_tagfs").exists()
    assert (share / "fish/vendor_completions.d/tagfs.fish").exists()
    if shutil.which("man"):
        assert "object-storage" in run(installed, "man", "-M", share / "man", "tagfs")


FSTAB = "{url} {point} fuse.tagfs {options},_netdev,nofail,x-systemd.requires=network.target 0 0\n"


@pytest.mark.parametrize("link", ["/usr/local/bin/tagfs", "/sbin/mount.fuse"])
def test_mount_8_and_fstab(installed: Path, service: Emulator, tmp_path: Path, link: str) -> None:
    """One link is what mount(8) needs, which runs its helpers with no PATH: the command where
    the system's mount.fuse finds it, or as the helper itself. In a mount namespace."""
    if os.getuid() != 0:
        pytest.skip("needs root")
    point = tmp_path / "point"
    point.mkdir()
    url = f"oss://{service.take()}"
    options = f"endpoint={service.url},region={REGION},cache_dir={tmp_path}/cache"
    (tmp_path / "fstab").write_text(FSTAB.format(url=url, point=point, options=options))
    command = installed / "bin/tagfs"
    place = {
        "/usr/local/bin/tagfs": f"mount -t tmpfs none /usr/local/bin; ln -s {command} {link}",
        "/sbin/mount.fuse": f"mount --bind {command} $(readlink -f {link})",
    }
    script = (
        f"{place[link]}; set -ex; mount -t fuse.tagfs {url} {point} -o {options}; "
        f"echo x >{point}/f; umount {point}; mount --bind {tmp_path}/fstab /etc/fstab; "
        f"mount {point}; cat {point}/f; grep fuse.tagfs /proc/mounts; umount {point}"
    )
    shown = run(installed, "unshare", "-m", "sh", "-c", script)
    assert shown.splitlines()[0] == "x"
    assert f"{url} {point} fuse.tagfs rw" in shown


def test_the_helper(installed: Path, service: Emulator, tmp_path: Path) -> None:
    """A link /sbin/mount.fuse.tagfs serves where the command is not on root's PATH: as mount(8)
    calls it, flags of its own included."""
    point = tmp_path / "point"
    point.mkdir()
    helper = tmp_path / "mount.fuse.tagfs"
    helper.symlink_to(installed / "bin/tagfs")
    url = f"oss://{service.take()}"
    options = f"rw,nofail,endpoint={service.url},region={REGION},cache_dir={tmp_path}/cache"
    run(installed, helper, url, point, "-f", "-o", options)
    assert not os.path.ismount(point)
    run(installed, helper, url, point, "-s", "-n", "-v", "-o", options, "-t", "fuse.tagfs")
    try:
        assert os.path.ismount(point)
    finally:
        run(installed, "tagfs", "umount", point)


@pytest.mark.parametrize("early", [False, True])
def test_the_demo(installed: Path, tmp_path: Path, early: bool) -> None:  # noqa: FBT001
    """Ctrl-C ends it and leaves nothing behind, even while it comes up."""
    point = tmp_path / "demo"
    point.mkdir()
    with subprocess.Popen(
        ["tagfs", "demo", str(point)],
        env=outside(installed),
        cwd="/",
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as process:
        assert process.stdout is not None
        try:
            if early:
                wait_for(lambda: os.path.ismount(point))
                return
            shown = list(
                iter(process.stdout.readline, "Ctrl-C ends the demo and removes everything.\n")
            )
            assert "user.tag.team" in "".join(shown)
            assert os.getxattr(point / "reports/2026/q1.md", "user.tag.team") == b"blue"
        finally:
            process.send_signal(signal.SIGINT)
            process.communicate(timeout=60)
            assert not os.path.ismount(point)


def test_what_readme_says_works_as_it_is_written(
    installed: Path, service: Emulator, tmp_path: Path
) -> None:
    """Install, mount, tag, edit, find, unmount: README, with a bucket that is there."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    block = text.partition("With an account:")[2].partition("```sh\n")[2].partition("```")[0]
    lines = [line for line in block.splitlines() if not re.match("sudo apt|pipx", line)]
    assert len(lines) == len(block.splitlines()) - 2
    script = "\n".join(["set -e", *lines])
    for said, here in {
        "OSS_ACCESS_KEY_ID=... OSS_ACCESS_KEY_SECRET=...": " ".join(
            f"{name}={value}" for name, value in KEYS.items()
        ),
        "my-bucket": service.take(),
        "endpoint=oss-cn-hangzhou.aliyuncs.com": f"endpoint={service.url},region={REGION}",
    }.items():
        assert said in script
        script = script.replace(said, here)
    done = subprocess.run(
        ["bash", "-c", script],
        env=outside(installed, HOME=str(tmp_path), XDG_CACHE_HOME=str(tmp_path / "cache")),
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done
    assert 'user.tag.team="blue"' in done.stdout
    assert done.stdout.endswith("/bucket/report.txt\n")
    assert not os.path.ismount(tmp_path / "bucket")
