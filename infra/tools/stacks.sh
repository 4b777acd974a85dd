# Deploys one stack with change sets. Sourced by infra/deploy, after infra/tools/common.sh.
# shellcheck shell=bash
#
# The first deployment of a stack keeps what it created when a resource fails, and the next run continues from there
# (https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/stack-failure-options.html). An update that fails is rolled
# back, and so is one during which an alarm goes off, up to the end of the bake time
# (https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/using-cfn-rollback-triggers.html).

# shellcheck disable=SC2154  # the scripts that source this file set them
: "${confirm:?}" "${bake:?}"

# How often a running update is looked at, in seconds, after how many failed checks in a row it is cancelled, and after how many
# failed looks in a row nobody looks any more.
readonly LOOK_SECONDS=${ACCOUNT_LOOK_SECONDS:-15} FAILED_CHECKS=4 FAILED_LOOKS=40

# The command that prints a stack's status.
status_command=(aws cloudformation describe-stacks --query 'Stacks[0].StackStatus' --output text)

print_status() {
    print_command "${status_command[@]}" --region "$1" --stack-name "$2"
}

# The status of a stack: `none` if it does not exist.
status_of() {
    local answer
    if answer=$("${status_command[@]}" --region "$1" --stack-name "$2" 2>&1); then
        echo "$answer"
    elif [[ $answer == *"does not exist"* ]]; then
        echo none
    else
        die "$answer"
    fi
}

# Which deployment a stack needs: `first`, `continued`, or `update`.
kind_of() {
    local region=$1 stack=$2 status
    if [ "$dry_run" != no ]; then
        print_status "$region" "$stack"
        echo "$dry_run"
        return
    fi
    status=$(status_of "$region" "$stack")
    case $status in
        none | REVIEW_IN_PROGRESS) echo first ;;
        # Only a deployment without rollback ends like this, so the stack was never complete.
        CREATE_FAILED | UPDATE_FAILED) echo continued ;;
        ROLLBACK_COMPLETE | ROLLBACK_FAILED | DELETE_FAILED)
            die "$stack in $region is $status: it can only be deleted. See \"Half-failed first deployment\" in docs/deployment.md" ;;
        UPDATE_ROLLBACK_FAILED)
            die "$stack in $region is $status: its rollback must be continued first. See \"Update and roll back\" in docs/deployment.md" ;;
        *_IN_PROGRESS) die "$stack in $region is $status: wait for its end" ;;
        *) echo update ;;
    esac
}

# The value of an output of a stack; empty if there is none.
output_of() {
    look "$3" aws cloudformation describe-stacks --region "$1" --stack-name "$2" \
        --query "Stacks[0].Outputs[?OutputKey=='$3'].OutputValue" --output text
}

# Uploads a template with everything that it refers to, also by nested templates. Prints its URL. SAM makes the bucket.
package() {
    local region=$1 template=$2 name=$3
    local packaged=target/packaged/$region-$name.yaml bucket key=$stack/$name-$release.yaml
    [ "$dry_run" != no ] || mkdir -p target/packaged
    run sam package --template-file "$template" --region "$region" --resolve-s3 --s3-prefix "$stack" \
        --output-template-file "$packaged" >/dev/null
    bucket=$(look BUCKET aws cloudformation describe-stacks --region "$region" --stack-name aws-sam-cli-managed-default \
        --query "Stacks[0].Outputs[?OutputKey=='SourceBucket'].OutputValue" --output text)
    run aws s3 cp --region "$region" --only-show-errors "$packaged" "s3://$bucket/$key" >&2
    echo "https://s3.$region.amazonaws.com/$bucket/$key"
}

# The alarms that roll an update back, as CloudFormation reads them. Refuses alarms that are on, because they would roll it
# back at once.
rollback_configuration() {
    local region=$1 alarms=$2 alarm kind triggers=() names=() composite on
    for alarm in ${alarms//,/ }; do names+=("${alarm##*:}"); done
    if [ ${#names[@]} -gt 0 ]; then
        # Without a type, the answer has no composite alarms.
        on=$(look "" aws cloudwatch describe-alarms --region "$region" --state-value ALARM --alarm-names "${names[@]}" \
            --alarm-types CompositeAlarm MetricAlarm --query '[CompositeAlarms,MetricAlarms][][].AlarmName' --output text)
        [ -z "$on" ] || die "alarms are on in $region: ${on//$'\t'/, }. Find the cause, or deploy with --ignore-alarms"
        composite=$(look COMPOSITE aws cloudwatch describe-alarms --region "$region" --alarm-names "${names[@]}" \
            --alarm-types CompositeAlarm --query 'CompositeAlarms[].AlarmArn' --output text)
    fi
    for alarm in ${alarms//,/ }; do
        kind=Alarm
        [[ $composite != *"$alarm"* ]] || kind=CompositeAlarm
        triggers+=("{\"Arn\":\"$alarm\",\"Type\":\"AWS::CloudWatch::$kind\"}")
    done
    (IFS=, && echo "{\"MonitoringTimeInMinutes\":$bake,\"RollbackTriggers\":[${triggers[*]}]}")
}

# Creates the change set. Returns 1 if there is nothing to change.
#
#     create_change_set REGION STACK CREATE|UPDATE TEMPLATE-URL PARAMETERS [OPTION...]
create_change_set() {
    local region=$1 name=$2 reason
    local change=(--region "$region" --stack-name "$name" --change-set-name "$release")
    run aws cloudformation create-change-set "${change[@]}" --change-set-type "$3" --template-url "$4" --parameters "$5" \
        --capabilities CAPABILITY_NAMED_IAM CAPABILITY_AUTO_EXPAND "${tags[@]}" "${@:6}" >/dev/null || die "no change set"
    run aws cloudformation wait change-set-create-complete "${change[@]}" 2>/dev/null && return
    reason=$(aws cloudformation describe-change-set "${change[@]}" --query StatusReason --output text)
    case $reason in
        *"didn't contain changes"* | *"No updates are to be performed"*)
            aws cloudformation delete-change-set "${change[@]}"
            return 1 ;;
    esac
    die "the change set of $name in $region failed: $reason"
}

# Prints the changes and waits for a yes.
confirm_changes() {
    local answer
    run aws cloudformation describe-change-set "${change[@]}" --output table \
        --query 'Changes[].ResourceChange.[Action,Replacement,LogicalResourceId,ResourceType]'
    [ "$confirm" = yes ] && [ "$dry_run" = no ] || return 0
    read -r -p "Apply these changes to $2 in $1? [y/N] " answer </dev/tty || die "not applied: nobody can answer here. --yes applies them"
    [[ $answer == [yY]* ]] || die "not applied"
}

# The reasons for which a deployment failed, oldest first, of the stack and its nested stacks.
failures_of() {
    local id ids
    ids=$(aws cloudformation describe-stack-resources --region "$1" --stack-name "$2" --output text \
        --query "StackResources[?ResourceType=='AWS::CloudFormation::Stack'].PhysicalResourceId")
    for id in "$2" $ids; do
        aws cloudformation describe-stack-events --region "$1" --stack-name "$id" --max-items 200 --output text --query \
            "reverse(StackEvents[?contains(ResourceStatus,'FAILED')].[LogicalResourceId,ResourceStatusReason])" || true
    done
}

# Waits for an update, and cancels it when the checks fail repeatedly meanwhile: then CloudFormation rolls it back.
#
#     watch_update REGION STACK [URL]
watch_update() {
    local region=$1 name=$2 url=${3:-} status failed=0 blind=0
    if [ "$dry_run" != no ]; then
        say "every $LOOK_SECONDS seconds until the end of the update; after $FAILED_CHECKS failed checks in a row the last command"
        print_status "$region" "$name"
        [ -z "$url" ] || run python3 infra/tools/checks.py "$url"
        [ -z "$url" ] || run aws cloudformation cancel-update-stack --region "$region" --stack-name "$name"
        return
    fi
    # A failed look says nothing of the update. It fails every time when the credentials have ended.
    while ! status=$(status_of "$region" "$name") || [[ $status == *_IN_PROGRESS ]]; do
        if [ -n "$status" ]; then blind=0; else blind=$((blind + 1)); fi
        [ "$blind" -lt "$FAILED_LOOKS" ] || die "$name in $region cannot be seen. Its update goes on, and alarms still roll it back"
        if [ -n "$url" ] && [ "$status" = UPDATE_IN_PROGRESS ]; then
            if python3 infra/tools/checks.py "$url" >/dev/null; then failed=0; else failed=$((failed + 1)); fi
            if [ "$failed" = "$FAILED_CHECKS" ]; then
                say "$url failed $failed checks in a row: rolling back"
                aws cloudformation cancel-update-stack --region "$region" --stack-name "$name" || true
            fi
        fi
        sleep "$LOOK_SECONDS"
    done
    [ "$status" = UPDATE_COMPLETE ]
}

# Deploys a stack: first, continued, or as an update.
#
#     deploy_stack REGION STACK TEMPLATE-FILE NAME [URL]
#
# Alarms and checks of URL guard the update of a stack with a URL. Without one, the stack has data, and what a failed update
# created in it is deleted, although the template says that it is to be kept: else the next update could not create it again
# (RetainExceptOnCreate in https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_ExecuteChangeSet.html).
deploy_stack() {
    local region=$1 name=$2 url=${5:-} kind template values triggers action=UPDATE guard=() failing=()
    local change=(--region "$region" --stack-name "$name" --change-set-name "$release")
    kind=$(kind_of "$region" "$name")
    say "$name in $region: $kind"
    template=$(package "$region" "$3" "$4")
    values=$(parameter_values "$3")
    case $kind in
        first) action=CREATE failing=(--disable-rollback) ;;
        continued) failing=(--disable-rollback) ;;
        update)
            if [ -z "$url" ]; then
                failing=(--retain-except-on-create)
            else
                triggers=""
                [ "$alarms" = no ] || triggers=$(output_of "$region" "$name" RollbackAlarms)
                triggers=$(rollback_configuration "$region" "$triggers")
                guard=(--rollback-configuration "$triggers")
            fi ;;
    esac
    if ! create_change_set "$region" "$name" "$action" "$template" "$values" "${guard[@]}"; then
        say "nothing to change"
        return
    fi
    confirm_changes "$region" "$name"
    run aws cloudformation execute-change-set "${change[@]}" "${failing[@]}"
    finish "$region" "$name" "$kind" "$url"
}

# Waits for the end of a deployment, and explains a failure.
finish() {
    local region=$1 name=$2 kind=$3
    case $kind in
        first) run aws cloudformation wait stack-create-complete --region "$region" --stack-name "$name" && return ;;
        continued) watch_update "$region" "$name" && return ;;
        update) watch_update "$region" "$name" "$4" && return ;;
    esac
    failures_of "$region" "$name" >&2
    [ "$kind" != update ] || die "$name in $region was rolled back: see above, and the alarms that are on"
    die "$name in $region failed: see above. Remove the cause and run infra/deploy again: it continues"
}
