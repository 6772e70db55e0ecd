"""What the user chose: -o before the environment before the settings file before the defaults."""

import os
from pathlib import Path

import pytest

from tagfs.config.resolve import choose, chosen_cache_dir
from tagfs.config.settings import parse_url, split_options
from tagfs.errors import SettingsError

URL = parse_url("oss://photos/2026")


@pytest.fixture
def env(tmp_path):
    """An environment with a home of its own."""
    return {"HOME": str(tmp_path)}


@pytest.fixture(autouse=True)
def _no_system_file(monkeypatch, tmp_path):
    monkeypatch.setattr("tagfs.config.toml_file.SYSTEM_FILE", tmp_path / "etc" / "tagfs.toml")


def write(path: Path, text: str, mode: int = 0o644) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(mode)
    return path


def own_file(env, text: str) -> Path:
    return write(Path(env["HOME"]) / ".config" / "tagfs.toml", text)


def test_each_place_goes_before_the_next(env, tmp_path):
    write(tmp_path / "etc" / "tagfs.toml", "[default]\nttl = 1\nmemory = '32M'\nparallel = 3")
    own_file(env, "[default]\nttl = 2\nmemory = '64M'")
    assert choose(URL, {}, env).parallel == 3
    assert choose(URL, {}, env).memory == 64 * 1024**2
    assert choose(URL, {}, env).timeout == 60
    assert choose(URL, {}, env).ttl == 2
    env["TAGFS_TTL"] = "3"
    assert choose(URL, {}, env).ttl == 3
    assert choose(URL, {"ttl": "4"}, env).ttl == 4


def test_in_a_file_a_profile_goes_before_a_bucket_before_the_default(env):
    own_file(
        env,
        """
        [default]
        region = "a"
        timeout = 5
        [bucket."oss://photos"]
        region = "b"
        ttl = 7
        [bucket."oss://photos/2026"]
        region = "c"
        [bucket."oss://photos/2025"]
        region = "wrong"
        [bucket."s3://photos"]
        region = "wrong"
        [profile.backup]
        region = "d"
        """,
    )
    assert choose(parse_url("oss://other"), {}, env).region == "a"
    assert choose(parse_url("oss://photos"), {}, env).region == "b"
    found = choose(URL, {}, env)
    assert (found.region, found.ttl, found.timeout) == ("c", 7, 5)
    assert choose(URL, {"profile": "backup"}, env).region == "d"
    assert choose(URL, {}, {**env, "TAGFS_PROFILE": "backup"}).region == "d"


def test_rules_stand_in_the_file_or_in_a_section_and_the_nearest_are_taken(env, tmp_path):
    """What they are kept by says where they are, and reads as it was."""
    text = """
        [bucket."oss://photos"]
        [[bucket."oss://photos".rules]]
        required = ["team"]
        [profile.strict]
        rules = "/etc/strict.toml"
        [[rules]]
        required = ["owner"]
        """
    path = own_file(env, text)

    def place(url: str, **options: str) -> str:
        chosen = str(choose(parse_url(url), options, env).rules)
        assert str(choose(parse_url(url), {"rules": chosen}, {"HOME": "/nowhere"}).rules) == chosen
        return chosen

    assert place("oss://other") == f"{path} []"
    assert place("oss://photos") == f'{path} [bucket."oss://photos"]'
    assert place("oss://photos", profile="strict") == "/etc/strict.toml"
    assert place("oss://photos", rules="/etc/mine.toml") == "/etc/mine.toml"
    write(tmp_path / "etc" / "tagfs.toml", "[[default.rules]]\nrequired = []")
    assert place("oss://other") == f"{path} []"  # a user's file goes before the system's
    path.unlink()
    assert place("oss://other") == f"{tmp_path}/etc/tagfs.toml [default]"


def test_another_file_takes_the_place_of_the_usual_ones(env, tmp_path):
    own_file(env, "[default]\nttl = 2\ntimeout = 9")
    other = write(tmp_path / "x.toml", "[default]\nttl = 5")
    found = choose(URL, {"config": str(other)}, env)
    assert (found.ttl, found.timeout) == (5, 60)
    assert choose(URL, {"config": "~/x.toml"}, env).ttl == 5
    assert choose(URL, {}, {**env, "TAGFS_CONFIG": str(other)}).ttl == 5
    with pytest.raises(SettingsError, match=r"config=.*none\.toml: no such file"):
        choose(URL, {"config": str(tmp_path / "none.toml")}, env)


def test_the_users_directory_of_settings(env, tmp_path):
    write(tmp_path / "xdg" / "tagfs.toml", "[default]\nttl = 8")
    own_file(env, "[default]\nttl = 2")
    assert choose(URL, {}, {**env, "XDG_CONFIG_HOME": str(tmp_path / "xdg")}).ttl == 8


def test_switches_are_true_or_false_in_every_place(env):
    own_file(env, "[default]\nro = true\nallow_other = true\nmax_read = 65536")
    found = choose(URL, {}, env)
    assert found.read_only
    options = {"ro": True, "allow_other": True, "max_read": "65536", "default_permissions": True}
    assert found.fuse_options == options
    assert not choose(URL, {"rw": True}, env).read_only
    assert not choose(URL, {"ro": "false"}, env).read_only
    assert "ro" not in choose(URL, {}, {**env, "TAGFS_RO": "0"}).fuse_options
    assert choose(URL, {}, {**env, "TAGFS_NOATIME": "yes"}).fuse_options["noatime"]


@pytest.mark.parametrize(
    ("options", "passed"),
    [
        ("suid,dev", {}),
        ("allow_suid", {"suid"}),
        ("allow_dev=true,suid,dev", {"dev"}),
        ("allow_suid,allow_dev", {"suid", "dev"}),
        ("allow_suid=false,suid", {}),
        ("allow_suid,nosuid,allow_dev", {"nosuid", "dev"}),
        ("nodev,allow_dev", {"nodev"}),
        ("rw,ro", {"ro"}),
        ("ro,rw", {}),
        ("ro,ro=false", {}),
    ],
)
def test_words_of_mount8_and_what_is_for_root(env, options, passed):
    assert choose(URL, split_options((options,)), env).fuse_options.keys() == set(passed)


@pytest.mark.parametrize(
    ("options", "label"),
    [
        ("context=system_u:object_r:x_t:s0,ttl=5", "system_u:object_r:x_t:s0"),
        ('context="system_u:object_r:x_t:s0:c1,c2",ttl=5', '"system_u:object_r:x_t:s0:c1,c2"'),
        ('ttl=5,context="a,b"', '"a,b"'),
    ],
)
def test_a_label_of_selinux_may_have_commas_within_quotes(env, options, label):
    """... as mount(8) has it; the kernel takes the quotes off."""
    chosen = choose(URL, split_options((options,)), env)
    assert chosen.fuse_options["context"] == label
    assert chosen.ttl == 5
    bare = choose(URL, {}, {**env, "TAGFS_ROOTCONTEXT": "a,b"})
    assert bare.fuse_options["rootcontext"] == '"a,b"'


def test_all_mistakes_are_reported_at_once_each_with_its_place(env):
    file = own_file(
        env,
        """
        [default]
        ttl = "soon"
        umask = 22
        endpiont = "x"
        ro = "perhaps"
        memory = ["1"]
        [bukket."oss://photos"]
        """,
    )
    variables = {"TAGFS_PARALLEL": "0", "TAGFS_ENDPIONT": "x"}
    with pytest.raises(SettingsError) as raised:
        choose(URL, {"gid": "x", "regoin": "y", "ttl": True}, {**env, **variables})
    assert set(str(raised.value).split("; ")) == {
        "-o gid=x: expected a number, or the name of a group of this host",
        "-o regoin: unknown option 'regoin': did you mean 'region'?",
        "-o ttl: expected seconds",
        "TAGFS_PARALLEL=0: expected a number from 1 to 1024",
        "TAGFS_ENDPIONT: did you mean TAGFS_ENDPOINT?",
        f"{file}: default.ttl=soon: expected seconds",
        f'{file}: default.umask: write it in quotes, as in umask = "022"',
        f"{file}: default.endpiont: unknown option 'endpiont': did you mean 'endpoint'?",
        f"{file}: default.ro=perhaps: expected true or false",
        f"{file}: default.memory: expected a text, a number, true or false",
        f"{file}: [bukket] is no section: did you mean [bucket]?",
    }


@pytest.mark.parametrize(
    "name",
    [
        "access_key_id",
        "access_key_secret",
        "secret",
        "sk",
        "session_token",
        "aws_secret_access_key",
    ],
)
def test_secrets_are_refused_and_not_repeated(env, name):
    own_file(env, f'[default]\n{name} = "S3CRET"')
    with pytest.raises(SettingsError, match="credentials=") as raised:
        choose(URL, {}, env)
    assert "S3CRET" not in str(raised.value)
    with pytest.raises(SettingsError) as raised:
        choose(URL, {name: "S3CRET"}, {"HOME": "/none"})
    assert "S3CRET" not in str(raised.value)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[default", "at the end of a table declaration"),
        ("default = 1", "default is not a section"),
        ('[bucket."photos"]', "not a bucket"),
        ("[default]\nprofile = 'x'", "for the command line"),
        ("[profile.backup]", "did you mean 'backup'"),
        ("[profile]\nttl = 1", r"profile\.ttl: write it below \[profile\.NAME\]"),
        ("[bucket]\nttl = 1", r"bucket\.ttl: write it below \[bucket\."),
        ("bucket = 1", "write it below"),
    ],
)
def test_what_is_wrong_with_a_file_is_said(env, text, said):
    file = own_file(env, text)
    with pytest.raises(SettingsError, match=said) as raised:
        choose(URL, {"profile": "bakcup"} if "backup" in text else {}, env)
    assert str(file) in str(raised.value) or "profile=" in str(raised.value)


def test_a_file_that_others_can_change_is_refused(env):
    own_file(env, "[default]\nttl = 2").chmod(0o666)
    with pytest.raises(SettingsError, match=r"can be changed by others \(mode 0666\): chmod go-w"):
        choose(URL, {}, env)


def test_where_the_vendors_variables_say_that_it_is(env):
    s3 = parse_url("s3://photos")
    env |= {"AWS_DEFAULT_REGION": "eu-west-1", "OSS_REGION": "cn-beijing"}
    assert choose(s3, {}, env).region == "eu-west-1"
    assert choose(URL, {}, env).region == "cn-beijing"
    assert choose(s3, {}, {**env, "AWS_REGION": "eu-west-2"}).region == "eu-west-2"
    assert choose(s3, {}, {**env, "TAGFS_REGION": "eu-west-3"}).region == "eu-west-3"
    env |= {"AWS_ENDPOINT_URL": "http://one", "OSS_ENDPOINT": "two"}
    assert choose(s3, {}, env).endpoint == "http://one"
    assert choose(URL, {}, env).endpoint == "two"
    assert choose(parse_url("obs://photos"), {}, env).endpoint is None
    # The region of somewhere else makes only wrong signatures.
    elsewhere = choose(s3, {"endpoint": "http://three"}, env)
    assert (elsewhere.endpoint, elsewhere.region) == ("http://three", None)


AWS = {
    ".aws/config": """
[default]
region = eu-west-1
[profile p]
region = eu-west-2
services = mine
[profile q]
endpoint_url = http://q
ignore_configured_endpoint_urls = true
[services mine]
s3 =
  endpoint_url = http://s3.example
sts =
  endpoint_url = http://sts.example
"""
}
OSSUTIL = {".ossutilconfig": "[default]\naccessKeyID=a\nendpoint=http://o\nregion=cn-x\n"}
ALIYUN = {
    ".aliyun/config.json": '{"current": "a", "profiles": [{"name": "a", "region_id": "cn-a"}, '
    '{"name": "b", "region_id": "cn-b"}]}'
}
PLACES = [
    ("s3", AWS, {}, {}, (None, "eu-west-1")),
    ("s3", AWS, {"AWS_PROFILE": "p"}, {}, ("http://s3.example", "eu-west-2")),
    ("s3", AWS, {}, {"credentials_profile": "p"}, ("http://s3.example", "eu-west-2")),
    ("s3", AWS, {"AWS_PROFILE": "q"}, {}, (None, None)),
    ("s3", AWS, {"AWS_PROFILE": "typo"}, {}, (None, None)),
    ("s3", AWS, {"AWS_REGION": "eu-north-1"}, {}, (None, "eu-north-1")),
    ("s3", AWS, {"AWS_ACCESS_KEY_ID": "a"}, {}, (None, "eu-west-1")),
    ("s3", AWS, {"AWS_ENDPOINT_URL": "http://e", "AWS_PROFILE": "p"}, {}, ("http://e", None)),
    # Where the user says where, or who, the files say nothing.
    ("s3", AWS, {"AWS_PROFILE": "p"}, {"region": "x"}, (None, "x")),
    ("s3", AWS, {"AWS_PROFILE": "p"}, {"endpoint": "http://x"}, ("http://x", None)),
    ("s3", AWS, {}, {"credentials": "/k"}, (None, None)),
    ("s3", AWS, {}, {"anonymous": True}, (None, None)),
    ("oss", OSSUTIL | ALIYUN, {}, {}, ("http://o", "cn-x")),
    ("oss", OSSUTIL | ALIYUN, {"ALIBABA_CLOUD_PROFILE": "b"}, {}, (None, "cn-b")),
    ("oss", ALIYUN, {}, {}, (None, "cn-a")),
    ("oss", ALIYUN, {"OSS_ACCESS_KEY_ID": "a"}, {}, (None, None)),
    ("obs", {".obsutilconfig": "endpoint=http://b\nak=a\n"}, {}, {}, ("http://b", None)),
    (
        "obs",
        {".obsutilconfig": "endpoint=http://b\n"},
        {"OBS_ACCESS_KEY_ID": "a"},
        {},
        (None, None),
    ),
]


@pytest.mark.parametrize(("service", "files", "environment", "options", "expected"), PLACES)
def test_where_the_vendors_files_say_that_it_is(
    env, service, files, environment, options, expected
):
    for name, text in files.items():
        write(Path(env["HOME"]) / name, text, 0o600)
    found = choose(parse_url(f"{service}://photos"), options, {**env, **environment})
    assert (found.endpoint, found.region) == expected


def test_what_is_fixed_comes_from_the_options_alone(env):
    own_file(env, "[default]\nendpoint = 'x'\nttl = 9")
    env["AWS_REGION"] = "eu-west-1"
    found = choose(parse_url("s3://photos"), {}, env, fixed=("endpoint", "region"))
    assert (found.endpoint, found.region, found.ttl) == (None, None, 9)


def test_of_two_ways_to_credentials_the_upper_place_holds(env):
    own_file(env, "[default]\ncredential_process = 'get keys'")
    found = choose(URL, {"credentials": "~/k"}, env)
    assert (found.credentials, found.credential_process) == (Path("~/k").expanduser(), None)
    assert choose(URL, {}, env).credential_process == "get keys"
    with pytest.raises(SettingsError, match="exclude one another"):
        choose(URL, {"credentials": "k", "credential_process": "p"}, env)


def test_nobody_is_a_way_to_credentials_too(env):
    """... of which the upper place holds, and "off" is none."""
    own_file(env, "[default]\ncredentials = '~/k'")
    found = choose(URL, {"anonymous": True}, env)
    assert (found.anonymous, found.credentials) == ("on", None)
    found = choose(URL, {"anonymous": "off"}, env)
    assert (found.anonymous, found.credentials) == ("off", Path("~/k").expanduser())
    own_file(env, "[default]\nanonymous = 'on'")
    found = choose(URL, {"credentials": "~/k"}, env)
    assert (found.anonymous, found.credentials) == ("off", Path("~/k").expanduser())
    with pytest.raises(SettingsError, match="exclude one another"):
        choose(URL, {"anonymous": True, "credentials": "k"}, env)


def test_an_empty_environment_is_enough(monkeypatch):
    for name in list(os.environ):
        if name.startswith(("HOME", "XDG_", "TAGFS_")):
            monkeypatch.delenv(name)
    assert choose(URL, {}, {}).cache_dir.name == "tagfs"
    monkeypatch.setattr("os.getuid", lambda: 4711)  # nobody's number
    assert choose(URL, {}, {}).cache_dir == Path("/var/tmp/tagfs-4711")


def test_the_cache_directory_of_any_bucket(env, tmp_path):
    own_file(env, f"[default]\ncache_dir = '{tmp_path}/c'")
    assert chosen_cache_dir({}, env) == tmp_path / "c"
    assert chosen_cache_dir({}, {**env, "TAGFS_CACHE_DIR": "/d"}) == Path("/d")


def test_homes_that_are_none_are_passed_over(monkeypatch):
    """Service users have such ones: a device, a missing directory, another user's."""
    for home in ("/dev/null", "/nonexistent", "/proc/1/cwd/root"):
        assert choose(URL, {}, {"HOME": home}).ttl == 60

    def refuse(path, *_):
        raise PermissionError(13, "Permission denied", path)

    monkeypatch.setattr("tagfs.localfiles.trusted.os.open", refuse)
    assert choose(URL, {}, {"HOME": "/root"}).ttl == 60
    with pytest.raises(SettingsError, match="cannot be read: Permission denied"):
        choose(URL, {"config": "/root/x.toml"}, {})


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("get keys", "get keys"),
        ("./get 'two words'", f"{os.getcwd()}/get 'two words'"),
        ("/bin/get --x", "/bin/get --x"),
        ("~/get", f"{Path('~').expanduser()}/get"),
    ],
)
def test_a_command_is_found_from_every_directory(env, text, kept):
    assert choose(URL, {"credential_process": text}, env).credential_process == kept


@pytest.mark.parametrize("text", ["", "'open"])
def test_what_is_no_command_is_said_at_once(env, text):
    with pytest.raises(SettingsError, match="expected a command"):
        choose(URL, {"credential_process": text}, env)
