"""README and docs: every table is one, every link leads somewhere, and README is short."""

import re
import shlex
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
import yaml  # type: ignore[import-untyped]

from tagfs.config.settings import parse_options, parse_url, split_options
from tagfs.errors import SettingsError

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
LONGEST_README = 900
"""Words: half of what it once had."""

FENCE = re.compile(r"^( *)(```+|~~~+)")
DELIMITER = re.compile(r"\|( *:?-+:? *\|)+")
LINK = re.compile(r"!?\[(?:[^\]`]|`[^`]*`)*\]\(([^)\s]+)\)")


@cache
def prose(page: Path) -> list[tuple[int, str]]:
    """Return the lines of a page that are in no block of code, with their numbers."""
    lines, fence = [], ""
    for number, line in enumerate(page.read_text(encoding="utf-8").splitlines(), 1):
        found = FENCE.match(line)
        if found and not fence:
            fence = found[2]
        elif found and line.strip() == fence:
            fence = ""
        elif not fence:
            lines.append((number, line))
    assert not fence, f"{page}: a block of code does not end"
    return lines


def tables(page: Path) -> Iterator[list[tuple[int, str]]]:
    """Yield the runs of lines that begin with a bar."""
    run: list[tuple[int, str]] = []
    for number, line in prose(page):
        if line.startswith("|"):
            run.append((number, line))
        elif run:
            yield run
            run = []
    if run:
        yield run


def cells(row: str) -> int:
    """Return how many cells a row has, as GitHub counts: a bar in code is one as well."""
    return len(re.sub(r"\\\|", "", row.strip()).strip("|").split("|"))


def anchors(page: Path) -> set[str]:
    """Return what a link to a heading of a page may say, as GitHub makes it."""
    titles = [line.lstrip("#").strip() for _, line in prose(page) if re.match("#{1,6} ", line)]
    plain = [re.sub(r"[^\w\- ]", "", re.sub(r"\[(.*?)\]\(.*?\)", r"\1", t)) for t in titles]
    return {title.lower().replace(" ", "-") for title in plain}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_table_is_one(page: Path) -> None:
    for table in tables(page):
        number, head = table[0]
        where = f"{page.name}:{number}"
        assert len(table) > 2, f"{where}: a table that was torn, or has no rows"
        assert DELIMITER.fullmatch(table[1][1].strip()), f"{where}: no line of dashes below"
        for at, row in table:
            assert row.rstrip().endswith("|"), f"{page.name}:{at}"
            assert cells(row) == cells(head), f"{page.name}:{at}: another number of cells"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_leads_somewhere(page: Path) -> None:
    for number, line in prose(page):
        for target in LINK.findall(re.sub(r"`[^`]*`", "``", line)):
            where = f"{page.name}:{number}: {target}"
            if "://" in target:
                continue
            path, _, anchor = target.partition("#")
            file = (page.parent / path).resolve() if path else page
            assert file.exists(), where
            if anchor:
                assert anchor in anchors(file), where


def test_every_page_and_picture_is_found_from_another() -> None:
    linked = set()
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        found = (target.partition("#")[0] for target in LINK.findall(text))
        linked |= {(page.parent / path).resolve() for path in found if "://" not in path}
    there = {path for path in (ROOT / "docs").rglob("*") if path.suffix in {".md", ".png", ".svg"}}
    assert {str(path.relative_to(ROOT)) for path in there - linked} == set()


def test_readme_is_short() -> None:
    assert len((ROOT / "README.md").read_text(encoding="utf-8").split()) < LONGEST_README


# Of the API reference (apps/v1 DaemonSet, core/v1): what each object of the example may have; those
# with "!" it must. A cluster refuses (--validate=strict) or drops what is not among them.
KUBERNETES = {
    "": "apiVersion! kind! metadata! spec!",
    "metadata": "name! namespace labels annotations",
    "spec": "selector! template! updateStrategy minReadySeconds revisionHistoryLimit",
    "spec.selector": "matchLabels matchExpressions",
    "spec.template": "metadata! spec!",
    "spec.template.metadata": "labels! annotations name namespace",
    "spec.template.spec": "containers! volumes hostPID hostNetwork terminationGracePeriodSeconds "
    "tolerations nodeSelector serviceAccountName initContainers priorityClassName",
    "spec.template.spec.containers": "name! image command args env envFrom ports resources "
    "securityContext livenessProbe readinessProbe startupProbe lifecycle volumeMounts "
    "imagePullPolicy workingDir",
    "spec.template.spec.containers.envFrom": "secretRef configMapRef prefix",
    "spec.template.spec.containers.envFrom.secretRef": "name! optional",
    "spec.template.spec.containers.securityContext": "privileged capabilities runAsUser",
    "spec.template.spec.containers.livenessProbe": "exec httpGet tcpSocket grpc timeoutSeconds "
    "initialDelaySeconds periodSeconds failureThreshold successThreshold",
    "spec.template.spec.containers.livenessProbe.exec": "command!",
    "spec.template.spec.containers.volumeMounts": "name! mountPath! mountPropagation readOnly "
    "subPath subPathExpr",
    "spec.template.spec.volumes": "name! hostPath emptyDir secret configMap",
    "spec.template.spec.volumes.hostPath": "path! type",
}
WORDS_ONLY = {"spec.selector.matchLabels", "spec.template.metadata.labels"}


def misfits(thing: object, place: str = "") -> list[str]:
    """Return what is in an object of Kubernetes and not of it, or not in it and due."""
    if isinstance(thing, list):
        return [found for one in thing for found in misfits(one, place)]
    if not isinstance(thing, dict) or place in WORDS_ONLY:
        return []
    fields = KUBERNETES[place].split()
    known = {field.rstrip("!") for field in fields}
    due = {field.rstrip("!") for field in fields if field.endswith("!")}
    found = [f"{place}.{name}" for name in (thing.keys() - known) | (due - thing.keys())]
    for name in thing.keys() & known:
        found += misfits(thing[name], f"{place}.{name}".lstrip("."))
    return found


def test_the_example_for_kubernetes_has_what_its_objects_have() -> None:
    [whole] = yaml.safe_load_all((ROOT / "docs/examples/kubernetes.yaml").read_text())
    assert misfits(whole) == []
    del whole["spec"]["selector"]
    whole["spec"]["template"]["spec"]["hostPid"] = True
    assert sorted(misfits(whole)) == ["spec.selector", "spec.template.spec.hostPid"]


def test_the_example_for_kubernetes() -> None:
    """What a cluster would refuse, or that would mount nothing: names that do not fit together."""
    [whole] = yaml.safe_load_all((ROOT / "docs/examples/kubernetes.yaml").read_text())
    assert (whole["apiVersion"], whole["kind"]) == ("apps/v1", "DaemonSet")
    pod = whole["spec"]["template"]
    assert whole["spec"]["selector"]["matchLabels"] == pod["metadata"]["labels"]
    [container] = pod["spec"]["containers"]
    [volume] = pod["spec"]["volumes"]
    [mounted] = container["volumeMounts"]
    assert mounted["name"] == volume["name"]
    assert mounted["mountPropagation"] == "Bidirectional"
    assert container["securityContext"]["privileged"]
    words = shlex.split(container["args"][0].rpartition(";")[2])
    assert words[:3] == ["exec", "tagfs", "mount"]
    point = words[4]
    assert point.startswith(mounted["mountPath"] + "/")
    assert container["livenessProbe"]["exec"]["command"] == ["tagfs", "status", point]
    options = split_options((words[words.index("-o") + 1],))
    assert parse_options(parse_url(words[3]), options).fuse_options["allow_other"]


FSTAB = re.compile(r"^(?:\| .*`)?((?:oss|obs|s3)://\S+) +\S+ +fuse\.tagfs +(\S+)", re.MULTILINE)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_line_of_fstab_is_understood(page: Path) -> None:
    for url, options in FSTAB.findall(page.read_text(encoding="utf-8")):
        words = options.rstrip("`").replace('"', "").replace("endpoint=...", "endpoint=e")
        try:
            parse_options(parse_url(url), split_options((words,)))
        except SettingsError as error:
            raise AssertionError(f"{page.name}: {options}: {error}") from error
