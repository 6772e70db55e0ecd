"""write(2) may put less than it was given, as on a disk that is nearly full: its result is used."""

import ast
from pathlib import Path

PACKAGE = Path(__file__).parents[1] / "tagfs"
MAY_BE_SHORT = {"write", "pwrite", "writev", "pwritev", "sendfile", "copy_file_range"}

PASSING = {
    "host/daemonize.py": "a message to a parent, shorter than a pipe takes at once",
    "monitoring/request_log.py": "a line of a log, of which half is as good as none",
}


def test_what_a_write_says_is_looked_at() -> None:
    found = {
        str(path.relative_to(PACKAGE))
        for path in PACKAGE.rglob("*.py")
        if "emulator" not in path.parts
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Call)
        and isinstance(node.value.func, ast.Attribute)
        and isinstance(node.value.func.value, ast.Name)
        and node.value.func.value.id == "os"
        and node.value.func.attr in MAY_BE_SHORT
    }
    assert found == set(PASSING)
