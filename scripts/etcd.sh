#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# etcd.sh: what xdp-lb-etcd.service runs. The balancer's configuration is the value of a key in etcd,
# and follows it. A value that is refused changes nothing; what became of the last one is under a key
# of this machine's own. From the environment (/etc/xdp-lb/etcd.env):
#
#    ETCDCTL_ENDPOINTS   the members, and whatever else etcdctl(1) takes: ETCDCTL_CACERT...
#    FLEET_KEY           the configuration's key: /xdp-lb/fleet
#    REPORT_KEY          where this balancer reports: /xdp-lb/report/HOSTNAME
#    BALANCER            words that choose it, if not that of this network namespace: on a machine whose
#                        sockets are balanced by maps of their own, -p /sys/fs/bpf/xdp-lb-sock
#    LOCAL_CONFIGURATION a file with lines of this machine alone, such as its pool: source add...
#    STATE_DIRECTORY     keeps the last value that was applied, for when no etcd answers at boot
set -euo pipefail
. "$(dirname "$(realpath "$0")")/lib.sh"

: "${FLEET_KEY:=/xdp-lb/fleet}" "${REPORT_KEY:=/xdp-lb/report/$(hostname)}"
: "${LOCAL_CONFIGURATION:=/etc/xdp-lb/local.conf}" "${STATE_DIRECTORY:=/var/lib/xdp-lb}"
readonly KEPT=$STATE_DIRECTORY/fleet.conf

# Another member is asked if this one does not answer.
etcd()
{
	etcdctl --command-timeout=3s --dial-timeout=1s "$@"
}

report() # TEXT
{
	echo "$1" >&2
	etcd put "$REPORT_KEY" "$1" >/dev/null ||
		echo "$program: etcd did not take the report" >&2
}

apply_file() # FILE
{
	local files=("$1")

	[ ! -e "$LOCAL_CONFIGURATION" ] || files+=("$LOCAL_CONFIGURATION")
	"${helper[@]}" apply "${files[@]}"
}

# The newest value, whichever event it was: those in between are of no more interest. Waits for etcd.
fetch() # FILE: its revision in $revision, that of the whole store in $now
{
	local answer

	until answer=$(etcd get --write-out=json "$FLEET_KEY"); do
		sleep 1
	done
	now=$(jq .header.revision <<<"$answer")
	revision=$(jq '.kvs[0].mod_revision // 0' <<<"$answer")
	jq -r '.kvs[0].value // ""' <<<"$answer" | base64 -d >"$1"
}

follow()
{
	local new error

	new=$(mktemp)
	fetch "$new"
	if error=$(apply_file "$new" 2>&1 >/dev/null); then
		report "applied revision $revision${error:+: $error}"
		mkdir -p "$STATE_DIRECTORY"
		mv "$new" "$KEPT"
	else
		report "refused revision $revision: ${error//"$new"/$FLEET_KEY}"
		rm "$new"
	fi
}

# After a boot without etcd: what was there before is better than nothing.
bring_back()
{
	[ -e "$KEPT" ] && [ "$("${helper[@]}" -j service show | jq length)" = 0 ] || return 0
	apply_file "$KEPT" || true
}

read -r -a helper <<<"$(find_built xdp-lb) ${BALANCER-}"
case ${1-} in
'')
	bring_back
	follow
	# etcdctl goes on with another member by itself. Should it end, systemd begins anew.
	exec etcdctl watch --rev=$((now + 1)) "$FLEET_KEY" -- "$(realpath "$0")" event
	;;
event) follow ;;
*) usage "$program" ;;
esac
