# What the scripts of infra/ share; they source it, from the repository's root.
# shellcheck shell=bash

tools=${ACCOUNT_TOOLS:-$HOME/.cache/account-platform/tools}
dry_run=no

die() {
    printf 'error: %s\n' "$1" >&2
    exit 1
}

# Ends it, or, when nothing is done anyway, says that it would.
refuse() {
    [ "$dry_run" = yes ] || die "$1"
    printf '# would be refused: %s\n' "$1"
}

# Runs a command; when nothing is to be done, prints it.
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

# Puts the pinned tools of infra/tools/NAME.txt first among the commands.
use_tools() {
    tests/tools/install "infra/tools/$1.txt" "$1"
    PATH="$tools/$1/bin:$PATH"
}

need() {
    command -v "$1" >/dev/null || refuse "$1 is needed: $2"
}

# The data regions that were named, or all, as `us us-east-1`, in the order in which they are deployed.
chosen_regions() {
    local name known
    known=$(grep -v '^#' infra/regions)
    for name in "$@"; do
        grep -q "^$name " <<<"$known" || die "there is no region $name"
    done
    if [ "$#" = 0 ]; then echo "$known"; else grep -E "^($(IFS='|'; echo "$*")) " <<<"$known"; fi
}

# A setting of samconfig.toml.
setting() {
    sed -n "s/^$1 = \"\(.*\)\"$/\1/p" samconfig.toml
}

# A parameter of the template, from samconfig.toml or from the template's default.
parameter() {
    local set
    set=$(sed -n "s/^ *\"$1=\(.*\)\",\{0,1\}$/\1/p" samconfig.toml)
    echo "${set:-$(sed -n "/^  $1:/,/^  [A-Z]/s/^    Default: //p" template.yaml)}"
}

# The functions that are not, or not whole, where the template looks for them.
missing_functions() {
    local folder
    sed -n 's/^      CodeUri: //p' template.yaml | while read -r folder; do
        [ -x "${folder}bootstrap" ] && [ -f "${folder}partitions.json" ] || basename "$folder"
    done
}
