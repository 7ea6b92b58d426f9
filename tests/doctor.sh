# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# For the tests of doctor: its findings, and the commands that they propose.

# shellcheck disable=SC2034 # for the tests
readonly PORT=8000 balancer_mac=de:ad:be:ef:00:10

# shellcheck disable=SC2120 # DEV may be left out
healthy() # [DEV]
{
	local said

	said=$(lb doctor "${1:-veth6}" 2>&1) || fail "doctor finds: $said"
	equal "$said" "" "what doctor says when all is well"
}

# The host of the lab that has an address.
host_of() # ADDRESS
{
	echo "h${1##*[.:]}"
}

# Takes a finding apart: $certainty, $purpose, $where (an address, or nothing), $command.
parse_finding() # LINE
{
	local purposes='mend|mend at a quiet time|look'

	[[ $1 =~ \;\ (certain|likely|possible)\;\ ($purposes)(\ on\ ([^ ]+))?:\ (.*)$ ]] ||
		fail "not a finding: $1"
	# shellcheck disable=SC2034 # for the tests
	certainty=${BASH_REMATCH[1]}
	purpose=${BASH_REMATCH[2]}
	where=${BASH_REMATCH[4]}
	command=${BASH_REMATCH[5]}
}

# Doctor finds CHECK, in words that hold WORD, once.
finds() # CHECK WORD [DEV]
{
	local status=0 said line

	said=$(lb doctor "${3:-veth6}") || status=$?
	equal $status 1 "exit status of doctor"
	line=$(grep "^$1: " <<<"$said") || fail "doctor does not find '$1': $said"
	[[ $line == *$2* ]] || fail "'$2' is not in: $line"
	equal "$(wc -l <<<"$line")" 1 "lines of '$1': $line"
	parse_finding "$line"
	note "$line"
}

run_command()
{
	local at=()

	[ -z "$where" ] || at=(nsenter --net="/run/netns/$prefix$(host_of "$where")" --)
	"${at[@]}" bash -ec "$command" >"$TMP/command" 2>&1 || fail "$command: $(cat "$TMP/command")"
}

# After the command that doctor gives, it finds nothing.
mends()
{
	[ "$purpose" != look ] || fail "nothing that mends: $command"
	run_command
	healthy veth6
}

# The command only shows something: TEXT among it.
shows() # TEXT
{
	equal "$purpose" look "what the command is for: $command"
	run_command
	grep -qF "$1" "$TMP/command" || fail "no '$1' in what '$command' shows: $(cat "$TMP/command")"
}
