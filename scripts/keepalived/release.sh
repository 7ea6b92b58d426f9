#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# release.sh [CONFIGURATION]: takes this machine's virtual addresses away, which a keepalived that was
# killed has left while the other machine has them too. keepalived's unit runs it: xdp-lb.conf here.
set -euo pipefail

conf=${1:-/etc/keepalived/keepalived.conf}

# "ADDRESS DEV" lines.
virtual_addresses()
{
	sed 's/#.*//' "$conf" | awk '
		/^[[:blank:]]*virtual_ipaddress(_excluded)?[[:blank:]]*{/ { inside = 1; next }
		/}/ { inside = 0 }
		inside && NF {
			for (i = 2; i < NF; i++)
				if ($i == "dev")
					print $1, $(i + 1)
		}'
}

virtual_addresses | while read -r address dev; do
	! ip addr del "$address" dev "$dev" 2>/dev/null || echo "released $address on $dev"
done
