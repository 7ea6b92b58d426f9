#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# dns.sh [quick]: DNS answers a second from one knotd of one worker, to Knot DNS's own generator
# (kxdpgun, by AF_XDP on the client's device): straight, and through xdp-lb in mode nat, nftables, and
# nginx stream. More is asked than any of them answers.
. "$(dirname "$(realpath "$0")")/rivals.sh"
. "$top/tests/dns.sh"

readonly RIVALS='straight nat nftables nginx' DNS=53 ASKED=400000 SECONDS_EACH=2
readonly TMP=/run/dns
rounds=5
[ "${1-}" != quick ] || rounds=1

rivals_dns()
{
	quietly env LAB= "$top/scripts/setup.sh"
	mkdir $TMP
	start_knot h2 h2
	await serves h2 $DNS
	quietly "$top/scripts/attach.sh" -n lb -m native veth6
	quietly "$top/xdp-lb" -n lb service add 10.0.0.10:$DNS/udp
	quietly "$top/xdp-lb" -n lb backend add 10.0.0.10:$DNS/udp $BACKEND
	new_host nftables 12
	translate $DNS
	new_host stream 14
	cat >/run/stream.conf <<-END
		daemon off;
		user root;
		worker_processes auto;
		pid /run/stream.pid;
		worker_rlimit_nofile 16384;
		load_module modules/ngx_stream_module.so;
		events { worker_connections 8192; }
		stream {
			server {
				listen $DNS udp reuseport;
				proxy_pass $BACKEND:$DNS;
				proxy_responses 1;
				proxy_timeout 1s;
			}
		}
	END
	on stream nginx -c /run/stream.conf -p /usr/share/nginx -e /dev/null &
	echo 'name.example. TXT' >$TMP/queries
	on h1 ping -q -c 1 -w 5 $BACKEND >/dev/null
}

translate() # PORT
{
	on nftables sysctl -qw net.ipv4.ip_forward=1 net.ipv4.conf.all.send_redirects=0 \
		net.ipv4.conf.veth0.send_redirects=0
	on nftables nft -f - <<-END
		table ip bench {
			chain in {
				type nat hook prerouting priority dstnat
				ip daddr 10.0.0.12 udp dport $1 dnat to $BACKEND
			}
			chain out {
				type nat hook postrouting priority srcnat
				ip daddr $BACKEND masquerade
			}
		}
	END
}

# The queue of one that has just ended may be busy for a moment.
answers() # RIVAL
{
	local target

	target=$(address_of "$1")
	on h1 ping -q -c 1 -w 5 "$target" >/dev/null
	until on h1 kxdpgun -t $SECONDS_EACH -Q $ASKED -F 0 -i $TMP/queries "$target" \
		>$TMP/gun 2>&1; do
		grep -q busy $TMP/gun || {
			cat $TMP/gun >&2
			return 1
		}
		sleep 0.2
	done
	awk '/^total replies:/ { gsub(/[^0-9]/, " "); print int($1 / '$SECONDS_EACH') }' $TMP/gun
}

rivals_dns
for ((round = 1; round <= rounds; round++)); do
	progress "dns: round $round of $rounds"
	for rival in $RIVALS; do
		answers "$rival" >>"/run/dns-$rival"
	done
done
for rival in $RIVALS; do
	jq -cs --arg name "$rival" '
		{ part: "dns", name: $name, qps: (sort | [.[0], .[length / 2 | floor], .[-1]]), rounds: . }
	' "/run/dns-$rival"
done
