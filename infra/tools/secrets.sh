# Gives each secret its first value. Sourced by infra/deploy, after infra/tools/common.sh.
# shellcheck shell=bash

# shellcheck disable=SC2154  # infra/deploy sets them
: "${stack:?}" "${authority:?}"

# How long a rotation and the replication of its value may take: the number of looks, and the seconds between them.
readonly SECRET_LOOKS=${ACCOUNT_LOOKS:-60} SECRET_SECONDS=${ACCOUNT_LOOK_SECONDS:-5}

# The secrets of keys of a region as lines of their region and full name: its own ones, and those that the authority shares. Not
# `providers` and `payments`, which an operator fills: docs/deployment.md.
secrets_of() {
    sed -nE 's#^ *Name: .*/(\$\{Region\}|shared)/([a-z]+)".*#\1 \2#p' infra/stacks/data.yaml | while read -r whose name; do
        case $name in providers | payments) continue ;; esac
        if [ "$whose" = shared ]; then echo "$authority $stack/shared/$name"; else echo "$2 $stack/$1/$name"; fi
    done
}

# A property of a secret.
secret_property() {
    aws secretsmanager describe-secret --region "$1" --secret-id "$2" --query "$3" --output text
}

# The id of a secret's current version.
current_version() {
    look VERSION aws secretsmanager list-secret-version-ids --region "$1" --secret-id "$2" \
        --query "Versions[?contains(VersionStages, 'AWSCURRENT')].VersionId" --output text
}

# Repeats a command until it succeeds.
until_true() {
    local message=$1 look
    shift
    for ((look = 0; look < SECRET_LOOKS; look++)); do
        "$@" && return
        sleep "$SECRET_SECONDS"
    done
    die "$message"
}

has_value() {
    [[ $(secret_property "$1" "$2" LastRotatedDate) == [0-9]* ]]
}

has_replica() {
    [ "$(current_version "$1" "$2")" = "$(current_version "$authority" "$2")" ]
}

# Starts the first rotation of a secret. Those with a schedule start it themselves when their stack is created, and are
# started again only if that failed. `addresses` has no schedule, because it must never be rotated: the function of the
# others creates its value, once, and its rotation is switched off again.
start_rotation() {
    local region=$1 secret=$2 function
    if [[ $secret != */addresses ]]; then
        run aws secretsmanager rotate-secret --region "$region" --secret-id "$secret" >/dev/null
        return
    fi
    function=$(look FUNCTION aws lambda get-alias --region "$region" --function-name "$stack-rotate-secrets" --name live \
        --query AliasArn --output text)
    run aws secretsmanager rotate-secret --region "$region" --secret-id "$secret" --rotation-lambda-arn "$function" \
        --rotation-rules AutomaticallyAfterDays=1000 >/dev/null
}

# Waits for the first value of a secret of this region.
fill_secret() {
    local region=$1 secret=$2 look
    if [ "$dry_run" != no ]; then
        print_command aws secretsmanager describe-secret --region "$region" --secret-id "$secret" --query LastRotatedDate --output text
        start_rotation "$region" "$secret"
        stop_rotation "$region" "$secret"
        return
    fi
    # The rotation that a schedule starts.
    for ((look = 0; look < SECRET_LOOKS / 2; look++)); do
        ! has_value "$region" "$secret" || break
        [[ $secret != */addresses ]] || break
        sleep "$SECRET_SECONDS"
    done
    if ! has_value "$region" "$secret"; then
        start_rotation "$region" "$secret"
        until_true "$secret has no value: see the log of rotate-secrets in $region" has_value "$region" "$secret"
    fi
    stop_rotation "$region" "$secret"
}

# Switches the rotation of `addresses` off.
stop_rotation() {
    [[ $2 == */addresses ]] || return 0
    [ "$dry_run" != no ] || [ "$(secret_property "$1" "$2" RotationEnabled)" = True ] || return 0
    run aws secretsmanager cancel-rotate-secret --region "$1" --secret-id "$2" >/dev/null
}

# Waits until each secret that a region's functions read has its value there.
fill_secrets() {
    local region=$2 home secret
    say "waiting for the first value of each secret"
    while read -r home secret <&5; do
        if [ "$home" = "$region" ]; then
            fill_secret "$region" "$secret"
        elif [ "$dry_run" != no ]; then
            current_version "$region" "$secret" >/dev/null
            current_version "$authority" "$secret" >/dev/null
        else
            until_true "the replica of $secret in $region has another version than $authority" has_replica "$region" "$secret"
        fi
    done 5< <(secrets_of "$1" "$region")
}
