"""The completion script for bash: one function over tables that are made of the commands.

It starts no program, so an answer takes a hundredth of a second, and it leaves names of files to
bash itself.
"""

from collections.abc import Iterator
from typing import Final

import click

from tagfs.config.fuse_options import FUSE_OPTIONS, VALUED
from tagfs.config.options import TABLE
from tagfs.manual.examples import commands
from tagfs.manual.mount_options import written

EMULATOR: Final = (
    "--service --listen --data --bucket --access-key-id --access-key-secret --security-token "
    "--temporary-keys --region --latency --request-log --fault --help-faults --option "
    "--help-options --generate --minimum-part-size --restore-seconds --no-verify --help"
)
"""Options of the emulator, which has a parser of its own; a test compares them."""

_SCRIPT: Final = r"""
# What has a mount in its way is not looked at: nothing here waits for anything.
_tagfs_mounts() {
    local source point kind rest
    while read -r source point kind rest; do
        [[ $kind == fuse.tagfs ]] && printf '%b\n' "$point"
    done < /proc/self/mounts
}

# Offers those of the words in $2 that begin with $1. Readline replaces what stands after "=" or ":".
_tagfs_offer() {
    local word cut=${1%"${1##*[=:]}"}
    while IFS= read -r word; do
        [[ -n $word && $word == "$1"* ]] && COMPREPLY+=("${word#"$cut"}")
    done <<< "$2"
    [[ ${#COMPREPLY[@]} == 1 && ${COMPREPLY[0]} == *= ]] && compopt -o nospace 2> /dev/null
}

# Offers what may stand after -o: names, or values where these are few.
_tagfs_offer_options() {
    local before=${1%"${1##*,}"} last=${1##*,} word
    if [[ $last == *=* ]]; then
        for word in ${_tagfs_values[${last%%=*}]}; do
            _tagfs_offer "$1" "$before${last%%=*}=$word"
        done
        return
    fi
    for word in $_tagfs_options; do
        [[ $word == "$last"* ]] && _tagfs_offer "$1" "$before$word"
    done
    compopt -o nospace 2> /dev/null
}

_tagfs() {
    local line=${COMP_LINE:0:COMP_POINT} words=() command=tagfs positional=0 word current previous choices
    read -ra words <<< "$line"
    [[ -z $line || $line == *[[:space:]] ]] && words+=("")
    current=${words[-1]} previous=
    (( ${#words[@]} > 1 )) && previous=${words[-2]}
    COMPREPLY=()
    for word in "${words[@]:1:${#words[@]}-2}"; do
        if [[ $word == -* ]]; then
            continue
        elif [[ -n ${_tagfs_commands["$command $word"]+x} && $positional == 0 ]]; then
            command+=" $word"
        else
            (( positional += 1 ))
        fi
    done
    choices=${_tagfs_choices["$command $previous"]}
    if [[ $previous == -o ]]; then
        _tagfs_offer_options "$current"
    elif [[ -n $choices ]]; then
        _tagfs_offer "$current" "${choices// /$'\n'}"
    elif [[ $current == -* ]]; then
        choices=${_tagfs_commands[$command]}
        _tagfs_offer "$current" "${choices// /$'\n'}"
    elif [[ $command == "tagfs umount" || $command == "tagfs status" ]]; then
        _tagfs_offer "$current" "$(_tagfs_mounts)"
    elif [[ $command == "tagfs mount" || $command == "tagfs doctor" ]] && (( positional == 0 )); then
        _tagfs_offer "$current" $'oss://\nobs://\ns3://'
        compopt -o nospace 2> /dev/null
    elif [[ -n ${_tagfs_below[$command]+x} && $positional == 0 ]]; then
        choices=${_tagfs_below[$command]}
        _tagfs_offer "$current" "${choices// /$'\n'}"
    fi
}

complete -o bashdefault -o default -F _tagfs tagfs
"""


def bash_script(group: click.Group) -> str:
    """Return the script."""
    table, below, choices = {}, {}, {}
    for path, command in commands(group):
        table[path] = " ".join(_options(path, command))
        if isinstance(command, click.Group):
            below[path] = " ".join(command.list_commands(click.Context(command)))
        for option, words in _choices(command):
            choices[f"{path} {option}"] = words
    choices["tagfs emulator --service"] = "oss obs s3"
    below["tagfs help"] = below["tagfs"]
    values = {option.name: " ".join(option.values) for option in TABLE.values() if option.values}
    parts = [
        "# Completion of tagfs for bash, made by scripts/man.",
        _array("_tagfs_commands", table),
        _array("_tagfs_below", below),
        _array("_tagfs_choices", choices),
        _array("_tagfs_values", values),
        f'_tagfs_options="{" ".join(_mount_options())}"',
        _SCRIPT.strip(),
    ]
    return "\n".join(parts) + "\n"


def _options(path: str, command: click.Command) -> list[str]:
    if path == "tagfs emulator":
        return EMULATOR.split()
    context = click.Context(command, help_option_names=["-h", "--help"])
    return [text for one in command.get_params(context) for text in one.opts if text[0] == "-"]


def _choices(command: click.Command) -> Iterator[tuple[str, str]]:
    for parameter in command.params:
        if isinstance(parameter.type, click.Choice):
            for text in parameter.opts:
                yield text, " ".join(map(str, parameter.type.choices))


def _mount_options() -> list[str]:
    own = [option.name + "=" * ("=" in written(option)) for option in TABLE.values()]
    others = [f"{name}{'=' * (name in VALUED)}" for name in sorted(FUSE_OPTIONS - set(TABLE))]
    return [*own, "remount", *others]


def _array(name: str, entries: dict[str, str]) -> str:
    rows = "\n".join(f'    ["{key}"]="{text}"' for key, text in entries.items())
    return f"declare -gA {name}=(\n{rows}\n)"
