# Functions that the scripts of infra/ share. They source this file from the repository's root.
# shellcheck shell=bash

. infra/tools/bash-version.sh

tools=${ACCOUNT_TOOLS:-$HOME/.cache/account-platform/tools}
# `no`, or the kind of deployment whose commands to print: `first` or `update`.
dry_run=no
# Where commands are printed in a dry run. Their output may be captured at the same time.
exec 4>&1

die() {
    printf 'error: %s\n' "$1" >&2
    exit 1
}

# An error inside $(...) ends the script, too.
shopt -s inherit_errexit
export SAM_CLI_TELEMETRY=0

# Exits with an error. In a dry run, prints the error instead.
refuse() {
    [ "$dry_run" != no ] || die "$1"
    printf '# error: %s\n' "$1" >&4
}

# Prints a command so that it can be pasted into a shell.
print_command() {
    local word text=""
    for word in "$@"; do
        if [[ $word =~ ^[A-Za-z0-9_./:=,@%+-]+$ ]]; then text+=" $word"; else text+=" ${word@Q}"; fi
    done
    printf '%s\n' "${text# }" >&4
}

# Runs a command. In a dry run, prints it instead.
run() {
    if [ "$dry_run" = no ]; then "$@"; else print_command "$@"; fi
}

# Prints the output of a command that only reads. In a dry run, prints the command, and NAME stands for its output; an empty
# NAME for no output.
#
#     look NAME COMMAND...
look() {
    if [ "$dry_run" = no ]; then
        "${@:2}"
    else
        [ -z "$1" ] || printf '# %s:\n' "$1" >&4
        print_command "${@:2}"
        echo "$1"
    fi
}

# Like `look`, but prints nothing if the command fails because something does not exist: if its error contains this text.
#
#     look_if_there TEXT NAME COMMAND...
look_if_there() {
    local answer
    if [ "$dry_run" != no ]; then
        look "${@:2}"
    elif answer=$("${@:3}" 2>&1); then
        echo "$answer"
    elif [[ $answer != *"$1"* ]]; then
        die "$answer"
    fi
}

say() {
    if [ "$dry_run" = no ]; then printf '== %s\n' "$1"; else printf '# %s\n' "$1" >&4; fi
}

# Puts the pinned tools of infra/tools/NAME.txt first in PATH.
use_tools() {
    tests/tools/install "infra/tools/$1.txt" "$1"
    PATH="$tools/$1/bin:$PATH"
}

need() {
    command -v "$1" >/dev/null || refuse "$1 is missing: $2"
}

# The named data regions, or all, in deployment order, as lines like `us us-east-1`.
chosen_regions() {
    local name known
    known=$(grep -v '^#' infra/regions)
    for name in "$@"; do
        # As text: a pattern would match, too.
        if ! [[ $name =~ ^[a-z]+$ ]] || ! grep -q "^$name " <<<"$known"; then die "unknown region $name"; fi
    done
    if [ "$#" = 0 ]; then echo "$known"; else grep -E "^($(IFS='|'; echo "$*")) " <<<"$known"; fi
}

# A setting in samconfig.toml: a name, such as that of the stack. Every name of a resource begins with it, so that it must not be
# missing.
setting() {
    local found
    found=$(sed -n "s/^$1 = \"\(.*\)\"$/\1/p" samconfig.toml)
    [[ $found =~ ^[A-Za-z][A-Za-z0-9-]*$ ]] || die "set $1 in samconfig.toml, once"
    echo "$found"
}

# The names of a template's parameters.
parameters_of() {
    sed -n '/^Parameters:/,/^[A-Z].*:/s/^  \([A-Za-z]*\):$/\1/p' "$1"
}

# A parameter's value in samconfig.toml, or else its default in the template that declares it.
parameter() {
    local set
    set=$(sed -n "s/^ *\"$1=\(.*\)\",\{0,1\}$/\1/p" samconfig.toml)
    echo "${set:-$(cat infra/stacks/data.yaml template.yaml | sed -n "/^  $1:/,/^  [A-Z]/s/^    Default: //p" | tail -n 1 | tr -d '"')}"
}

# The values of samconfig.toml for a template's parameters, as the AWS CLI reads them. `Platform` is the name of the stack:
# the beginning of every name.
parameter_values() {
    local name value all=()
    for name in $(parameters_of "$1"); do
        value=$(parameter "$name")
        [ "$name" != Platform ] || value=$(setting stack_name)
        [[ $value != *[\"\\]* ]] || die "the value of $name must not contain quotes or backslashes"
        all+=("{\"ParameterKey\":\"$name\",\"ParameterValue\":\"$value\"}")
    done
    (IFS=, && echo "[${all[*]}]")
}

# The folders of functions in the templates, each with a final slash.
function_folders() {
    sed -n 's/^ *CodeUri: *//p' template.yaml infra/stacks/*.yaml 2>/dev/null | sed 's|^\(\.\./\)*||'
}

# The functions whose build output is missing or incomplete.
missing_functions() {
    local folder
    function_folders | while read -r folder; do
        [ -x "${folder%/}/bootstrap" ] && [ -f "${folder%/}/partitions.json" ] || basename "$folder"
    done
}
