# Functions that the scripts of infra/ share. They source this file from the repository's root.
# shellcheck shell=bash

tools=${ACCOUNT_TOOLS:-$HOME/.cache/account-platform/tools}
dry_run=no

die() {
    printf 'error: %s\n' "$1" >&2
    exit 1
}

# Exits with an error. In a dry run, prints the error instead.
refuse() {
    [ "$dry_run" = yes ] || die "$1"
    printf '# error: %s\n' "$1"
}

# Runs a command. In a dry run, prints it instead.
run() {
    if [ "$dry_run" = yes ]; then
        printf '%q ' "$@"
        echo
    else
        "$@"
    fi
}

say() {
    if [ "$dry_run" = yes ]; then printf '# %s\n' "$1"; else printf '== %s\n' "$1"; fi
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
        grep -q "^$name " <<<"$known" || die "unknown region $name"
    done
    if [ "$#" = 0 ]; then echo "$known"; else grep -E "^($(IFS='|'; echo "$*")) " <<<"$known"; fi
}

# A setting in samconfig.toml.
setting() {
    sed -n "s/^$1 = \"\(.*\)\"$/\1/p" samconfig.toml
}

# A template parameter from samconfig.toml, or its default in the template.
parameter() {
    local set
    set=$(sed -n "s/^ *\"$1=\(.*\)\",\{0,1\}$/\1/p" samconfig.toml)
    echo "${set:-$(sed -n "/^  $1:/,/^  [A-Z]/s/^    Default: //p" template.yaml)}"
}

# The functions whose build output is missing or incomplete.
missing_functions() {
    local folder
    sed -n 's/^      CodeUri: //p' template.yaml | while read -r folder; do
        [ -x "${folder}bootstrap" ] && [ -f "${folder}partitions.json" ] || basename "$folder"
    done
}
