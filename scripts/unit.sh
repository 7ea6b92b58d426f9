#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# unit.sh start|reload|stop DEV [WORD of attach.sh]...: what xdp-lb@DEV.service runs. A balancer that
# is on DEV already is kept; the configuration is that of the file, if it has a service at all.
set -euo pipefail
. "$(dirname "$(realpath "$0")")/lib.sh"

readonly CONFIGURATION=/etc/xdp-lb/xdp-lb.conf

# The balancer runs, or will run, with what was given by hand: comments alone are no configuration.
apply()
{
	grep -q '^[[:blank:]]*service[[:blank:]]' "$CONFIGURATION" || {
		echo "$CONFIGURATION has no service: nothing is applied"
		return
	}
	cmd "$(find_built xdp-lb)" -d "$dev" apply "$CONFIGURATION"
}

# Devices that come up together take turns: the first makes the maps, the others find them.
take_turns()
{
	exec {turn}<"$here/unit.sh"
	flock "$turn"
}

attach() # WORD...
{
	local id

	id=$(xdp_programs '' "$dev" | cut -d ' ' -f 2)
	if [ -n "$id" ] && is_balancer "$id"; then
		echo "xdp-lb is on $dev already, program id $id"
	else
		"$here/attach.sh" "$@" "$dev"
	fi
}

detach()
{
	if ip link show dev "$dev" >/dev/null 2>&1; then
		"$here/detach.sh" "$dev"
	else
		remove_unused_pins # the program went with the device
	fi
}

[ $# -ge 2 ] || usage "$program start|reload|stop DEV [WORD of attach.sh]..."
dev=$2
need_root
case $1 in
start)
	take_turns
	attach "${@:3}"
	apply
	;;
reload) apply ;;
stop)
	take_turns
	detach
	;;
*) usage "$program start|reload|stop DEV [WORD of attach.sh]..." ;;
esac
