# Ends a script whose bash is older than 4.4 (2016), as that of macOS. Older ones fail at an empty array under `set -u`, and
# know neither `mapfile -d` nor `${name@Q}`. Sourced from the repository's root.
# shellcheck shell=bash

if [ -z "${BASH_VERSINFO:-}" ] || [ "$((BASH_VERSINFO[0] * 100 + BASH_VERSINFO[1]))" -lt 404 ]; then
    echo "error: bash 4.4 or newer is needed, and this is ${BASH_VERSION:-another shell}. On macOS: brew install bash" >&2
    exit 1
fi
