"""Log files and the staging directory: whoever planted something in their place gets nothing."""

import logging
import os
import stat
from pathlib import Path

import pytest

from tagfs.config.settings import parse_options, parse_url
from tagfs.errors import SettingsError
from tagfs.monitoring import logs
from tagfs.monitoring.log_files import open_to_append
from tagfs.monitoring.request_log import RequestLog
from tagfs.recovery.staging_directory import StagingDirectory

AS_ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to give files away")


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


class TestLogFiles:
    @pytest.fixture
    def log_file(self, tmp_path: Path) -> Path:
        return tmp_path / "tagfs.log"

    def test_a_new_one_is_its_owners_alone(self, log_file: Path) -> None:
        """Log lines name objects, tags and rules: they are nobody else's."""
        before = os.umask(0)
        try:
            logs.to_background("info", log_file, log_file)
            logging.getLogger("tagfs").warning("reported")
        finally:
            os.umask(before)
            logs.close()
            root = logging.getLogger("tagfs")
            for handler in root.handlers:
                handler.target.close()  # type: ignore[attr-defined]
            root.handlers.clear()
            root.propagate = True
            root.setLevel(logging.NOTSET)  # or what others log at DEBUG is not seen
        assert mode_of(log_file) == 0o600
        assert "reported" in log_file.read_text()

    def test_what_is_there_is_appended_to(self, log_file: Path) -> None:
        log_file.write_text("before\n")
        log_file.chmod(0o640)
        fd = open_to_append(log_file)
        os.write(fd, b"after\n")
        os.close(fd)
        assert log_file.read_text() == "before\nafter\n"
        assert mode_of(log_file) == 0o640  # whoever wants others to read it says so

    def test_a_link_of_ours_is_followed(self, log_file: Path, tmp_path: Path) -> None:
        log_file.symlink_to(tmp_path / "elsewhere")
        os.close(open_to_append(log_file))
        assert mode_of(tmp_path / "elsewhere") == 0o600
        os.close(open_to_append(Path("/dev/null")))

    @AS_ROOT
    def test_a_link_of_another_user_is_not(self, log_file: Path, tmp_path: Path) -> None:
        victim = tmp_path / "passwd"
        victim.write_text("root")
        log_file.symlink_to(victim)
        os.lchown(log_file, 1234, 1234)
        with pytest.raises(SettingsError, match="cannot be written: it is a symbolic link"):
            logs.to_background("info", log_file, log_file)
        with pytest.raises(SettingsError, match="cannot be written: it is a symbolic link"):
            RequestLog(log_file)
        assert victim.read_text() == "root"

    @AS_ROOT
    def test_a_file_of_another_user_is_not(self, log_file: Path) -> None:
        log_file.touch()
        os.chown(log_file, 1234, 1234)
        with pytest.raises(SettingsError, match="belongs to another user"):
            logs.to_background("info", log_file, log_file)

    def test_a_second_name_of_a_file_is_not(self, log_file: Path, tmp_path: Path) -> None:
        victim = tmp_path / "passwd"
        victim.write_text("root")
        os.link(victim, log_file)
        with pytest.raises(SettingsError, match="hard link"):
            logs.to_background("info", log_file, log_file)
        assert victim.read_text() == "root"


class TestStagingDirectory:
    @pytest.fixture
    def cache_dir(self, tmp_path: Path) -> Path:
        directory = tmp_path / "cache"
        directory.mkdir()
        return directory

    def make(self, cache_dir: Path) -> StagingDirectory:
        url = parse_url("oss://bucket")
        settings = parse_options(url, {"endpoint": "e.example", "cache_dir": str(cache_dir)})
        return StagingDirectory(settings, Path("/mnt"))

    def test_it_is_its_owners_alone_whatever_the_umask(self, cache_dir: Path) -> None:
        before = os.umask(0)
        try:
            staging = self.make(cache_dir)
            assert mode_of(staging.path) == mode_of(staging.path.parent) == 0o700
            assert {mode_of(path) for path in staging.path.iterdir()} == {0o600}
            staging.close()
        finally:
            os.umask(before)

    def test_names_cannot_be_guessed(self, cache_dir: Path) -> None:
        made = [self.make(cache_dir) for _ in range(3)]
        assert len({staging.path.name.partition("-")[2] for staging in made}) == 3
        for staging in made:
            staging.close()

    def test_a_planted_link_is_refused(self, cache_dir: Path, tmp_path: Path) -> None:
        elsewhere = tmp_path / "elsewhere"
        elsewhere.mkdir(mode=0o700)
        (cache_dir / "staging").symlink_to(elsewhere)
        with pytest.raises(SettingsError, match="not yours alone"):
            self.make(cache_dir)
        assert list(elsewhere.iterdir()) == []

    @pytest.mark.parametrize("mode", [0o770, 0o702])
    def test_one_that_others_can_write_is_refused(self, cache_dir: Path, mode: int) -> None:
        (cache_dir / "staging").mkdir()
        (cache_dir / "staging").chmod(mode)
        with pytest.raises(SettingsError, match="not yours alone"):
            self.make(cache_dir)

    @AS_ROOT
    def test_one_of_another_user_is_refused(self, cache_dir: Path) -> None:
        (cache_dir / "staging").mkdir(mode=0o700)
        os.chown(cache_dir / "staging", 1234, 1234)
        with pytest.raises(SettingsError, match="not yours alone"):
            self.make(cache_dir)

    @AS_ROOT
    def test_a_cache_directory_of_another_user_is_refused(self, cache_dir: Path) -> None:
        """They could put another directory in the place of ours."""
        os.chown(cache_dir, 1234, 1234)
        with pytest.raises(SettingsError, match="can be changed by others"):
            self.make(cache_dir)

    def test_a_cache_directory_that_all_can_write_is_refused(self, cache_dir: Path) -> None:
        cache_dir.chmod(0o777)
        with pytest.raises(SettingsError, match="can be changed by others"):
            self.make(cache_dir)
        cache_dir.chmod(0o1777)  # as /tmp: nobody can take away what is another's
        self.make(cache_dir).close()
