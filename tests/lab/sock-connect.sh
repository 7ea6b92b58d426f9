#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Balanced at connect: sockets of a cgroup that go to a VIP are with a backend from the beginning, by
# weight, of TCP and UDP, connected or not; and take the VIP for their peer. What a change does to
# them, and that detaching does nothing to those that are open.
#
#    lb: processes of a cgroup, by the balancer's own maps ---> h2:8001 small (1), h3:8001 middle (3),
#    h1: the same by maps of their own, no balancer               h3:8002 large (6)
. "$(dirname "$0")/../topology.sh"
. "$top/tests/cgroup.sh"
. "$top/tests/dns.sh"

readonly PORT=7000 OWN=/sys/fs/bpf/xdp-lb-sock
COUNT=$(scaled 2000 300 10000)
readonly COUNT
client='' # a host, and how it reaches its maps

# The helper for the client's maps.
balance()
{
	if [ "$client" = lb ]; then
		lb "$@"
	else
		"$top/xdp-lb" -p $OWN "$@"
	fi
}

start_servers()
{
	local server host port name

	while read -r host port name; do
		for server in steady udp; do
			on "$host" "$TOOLS/$server" serve "$port" "$name" &
		done
	done <<-END
		h2 8001 small
		h3 8001 middle
		h3 8002 large
	END
	await 5 serves h3 8002
}

configure() # PROTOCOL
{
	balance service add "$vip:$PORT/$1"
	balance backend add "$vip:$PORT/$1" "$(real 2 8001)" weight 1
	balance backend add "$vip:$PORT/$1" "$(real 3 8001)" weight 3
	balance backend add "$vip:$PORT/$1" "$(real 3 8002)" weight 6
}

real() # HOST PORT
{
	# shellcheck disable=SC2154 # of lib.sh
	[ "$family" = 4 ] && echo "${net}$1:$2" || echo "[${net}$1]:$2"
}

# Sockets of the client that stay open: what they say comes by $said.
hold() # ADDRESS KIND [SOURCE]
{
	mkfifo "$TMP/to-$2" "$TMP/from-$2"
	inside "$client" "$TOOLS/sockets" "$1" $PORT "$2" "$COUNT" "${@:3}" \
		<"$TMP/to-$2" >"$TMP/from-$2" &
	exec {to}>"$TMP/to-$2" {from}<"$TMP/from-$2"
	rm "$TMP/to-$2" "$TMP/from-$2"
	hear
}

hear()
{
	local line

	said=''
	while read -r line <&"$from"; do
		[ "$line" != end ] || return 0
		said+=$line$'\n'
	done
	fail "the sockets ended: $said"
}

use()
{
	echo >&"$to"
	hear
}

let_go()
{
	exec {to}>&- {from}<&-
}

by_weight() # WHAT, of 1:3:6
{
	local name share got

	while read -r name share; do
		got=$(count_of "$name" "$said")
		within $((got * 1000 / COUNT)) $((share - slack)) $((share + slack)) \
			"$1, of 1,000 with $name"
	done <<-END
		small 100
		middle 300
		large 600
	END
}

# In 1,000: 10,000 sockets meet their weights to 2 points, and few as well as chance lets them (four
# standard deviations).
case $COUNT in
10000) slack=20 ;;
2000) slack=45 ;;
*) slack=115 ;;
esac

connections() # ADDRESS
{
	hold "$1" tcp
	by_weight 'TCP connections'
	balance backend drain "$vip:$PORT/tcp" "$(real 3 8002)"
	use
	equal "$(count_of kept "$said")" "$COUNT" 'connections open, one backend draining'
	inside "$client" "$TOOLS/sockets" "$1" $PORT tcp 40 </dev/null >"$TMP/drained"
	! grep large "$TMP/drained" || fail 'a draining backend gets new connections'
	balance backend down "$vip:$PORT/tcp" "$(real 3 8001)"
	inside "$client" "$TOOLS/sockets" "$1" $PORT tcp 40 </dev/null >"$TMP/down"
	equal "$(head -n 1 "$TMP/down")" 'small 40' 'connections, one backend left'
	balance backend down "$vip:$PORT/tcp" "$(real 2 8001)"
	inside "$client" "$TOOLS/sockets" "$1" $PORT tcp 40 </dev/null >"$TMP/none"
	equal "$(head -n 1 "$TMP/none")" 'not-permitted 40' 'connections, no backend left'
	refused_counted 40
	balance service del "$vip:$PORT/tcp"
	inside "$client" "$TOOLS/sockets" "$1" $PORT tcp 3 </dev/null >"$TMP/deleted"
	equal "$(head -n 1 "$TMP/deleted")" 'not-reached 3' 'connections, service deleted'
	use
	equal "$(count_of kept "$said")" "$COUNT" 'connections open, service deleted'
	let_go
}

refused_counted() # COUNT
{
	local flows refused

	flows=$(balance -j stats "$vip:$PORT/tcp" | jq '.services[0].flows')
	equal "$flows" $((COUNT + 80)) 'flows in stats'
	refused=$(balance -j stats "$vip:$PORT/tcp" |
		jq '[.verdicts[] | select(.reason == "no-backend").packets] | add')
	equal "$refused" "$1" 'no-backend in stats'
}

datagrams() # ADDRESS KIND
{
	hold "$1" "$2"
	by_weight "UDP sockets, $2"
	use
	equal "$(count_of kept "$said")" "$COUNT" 'the same backend again'
	let_go
}

# Connected ones are left alone by every change, the service deleted too.
connected_datagrams_stay()
{
	hold "$vip_address" udp
	balance backend drain "$vip:$PORT/udp" "$(real 3 8002)"
	balance backend down "$vip:$PORT/udp" "$(real 3 8001)"
	use
	equal "$(count_of kept "$said")" "$COUNT" 'connected UDP sockets, a drain and one down'
	balance service del "$vip:$PORT/udp"
	use
	equal "$(count_of kept "$said")" "$COUNT" 'connected UDP sockets, service deleted'
	let_go
	configure udp
}

# Unconnected sockets leave a backend that is up no more, and no other.
left_when_down()
{
	local large

	hold "$vip_address" unconnected
	large=$(count_of large "$said")
	balance backend "$1" "$vip:$PORT/udp" "$(real 3 8002)"
	use
	equal "$(count_of moved "$said")" "$large" "sockets that moved: $1"
	balance backend up "$vip:$PORT/udp" "$(real 3 8002)"
	use
	equal "$(count_of kept "$said")" "$COUNT" 'sockets that stay, one more backend'
	balance backend down "$vip:$PORT/udp" "$(real 3 8002)"
	balance backend down "$vip:$PORT/udp" "$(real 3 8001)"
	balance backend down "$vip:$PORT/udp" "$(real 2 8001)"
	use
	equal "$(count_of broken "$said")" "$COUNT" 'sockets without any backend'
	balance backend up "$vip:$PORT/udp" "$(real 3 8002)"
	balance backend up "$vip:$PORT/udp" "$(real 3 8001)"
	balance backend up "$vip:$PORT/udp" "$(real 2 8001)"
	let_go
}

# The source that a socket is bound to decides, and it alone.
by_source()
{
	local own=$vip_address

	[ "$client" = lb ] || own=${net}1
	balance service add "$vip:$PORT/tcp" hash source
	balance backend add "$vip:$PORT/tcp" "$(real 2 8001)"
	balance backend add "$vip:$PORT/tcp" "$(real 3 8001)"
	inside "$client" "$TOOLS/sockets" "$vip_address" $PORT tcp 40 "$own" </dev/null >"$TMP/bound"
	grep -q ' 40$' "$TMP/bound" || fail "hash source, bound: $(cat "$TMP/bound")"
	inside "$client" "$TOOLS/sockets" "$vip_address" $PORT tcp 40 </dev/null >"$TMP/unbound"
	equal "$(wc -l <"$TMP/unbound")" 3 'hash source, not bound: backends drawn'
	balance service del "$vip:$PORT/tcp"
}

mapped()
{
	[ "$family" = 4 ] && echo "::ffff:$vip_address" || echo "$vip_address"
}

# Services with the same backend and port, on one socket: the one that was sent to last is shown. More
# of them than a socket remembers.
many_vips()
{
	local port

	for ((port = PORT; port < PORT + 40; port++)); do
		echo "service add $vip:$port/udp table 2"
		echo "backend add $vip:$port/udp $(real 2 8001)"
	done >"$TMP/many"
	balance save >"$TMP/before"
	balance apply "$TMP/many" >"$TMP/log"
	inside "$client" "$TOOLS/sockets" turns "$vip_address" $PORT 2
	inside "$client" "$TOOLS/sockets" turns "$vip_address" $PORT 40
	balance apply "$TMP/before" empty >"$TMP/log"
}

well_known_clients()
{
	local who

	balance service add "$vip:80/tcp"
	balance backend add "$vip:80/tcp" "$(real 2 8000)"
	balance service add "$vip:53/udp"
	balance backend add "$vip:53/udp" "${net}3"
	who=$(inside "$client" curl -sS -m 5 "http://$vip/")
	equal "$who" h2 'curl'
	[ "$family" = 6 ] || who=$(inside "$client" curl -sS -m 5 "http://[$(mapped)]/")
	equal "$who" h2 'curl to ::ffff:'
	who=$(inside "$client" dig +short +time=2 +tries=2 "@$vip_address" name.example TXT)
	equal "$who" '"h3"' 'dig'
	balance service del "$vip:80/tcp"
	balance service del "$vip:53/udp"
}

# One more socket, until the trace, which takes its time to begin, tells of one.
is_told()
{
	inside "$client" "$TOOLS/sockets" "$vip_address" $PORT tcp 1 </dev/null
	[ -s "$TMP/trace" ]
}

told()
{
	balance -j trace count 1 >"$TMP/trace" &
	await 5 is_told
	wait $!
	equal "$(jq -r '.reason, .choice, .vip' <"$TMP/trace" | paste -sd ' ')" \
		"forwarded table $vip:$PORT/tcp" 'trace'
}

one_family()
{
	configure tcp
	told
	connections_begin
	connections "$vip_address"
	configure udp
	datagrams "$vip_address" udp
	datagrams "$vip_address" unconnected
	[ "$family" = 6 ] || datagrams "$(mapped)" unconnected
	[ "$family" = 6 ] || datagrams "$(mapped)" udp
	connected_datagrams_stay
	left_when_down drain
	left_when_down down
	balance service del "$vip:$PORT/udp"
	by_source
	many_vips
	well_known_clients
}

# Counters as if nothing had been.
connections_begin()
{
	balance stats zero
}

no_programs()
{
	! bpftool cgroup show "$cgroup" | grep xlb_ || fail 'the cgroup has programs'
}

# Every socket is open through the detaching, and of use after it.
detached_in_use()
{
	use_family 4
	configure tcp
	hold "$vip_address" tcp
	"$top/scripts/detach-sock.sh" "$cgroup" 2>"$TMP/detach.log"
	use
	equal "$(count_of kept "$said")" "$COUNT" 'connections open, detached'
	let_go
	inside "$client" "$TOOLS/sockets" "$vip_address" $PORT tcp 3 </dev/null >"$TMP/after"
	no_programs
}

# What connecting costs, beside the same without the programs: to a VIP and directly, by turns, the
# least of each. An emulated processor does not tell.
costs()
{
	local with without

	lb service add "$vip:$PORT/tcp"
	lb backend add "$vip:$PORT/tcp" "$(real 2 8001)"
	for _ in 1 2 3 4 5; do
		on lb "$TOOLS/sockets" time "${net}2" 8001 400 >>"$TMP/without"
		inside lb "$TOOLS/sockets" time "$vip_address" $PORT 400 >>"$TMP/with"
	done
	without=$(sort -n "$TMP/without" | head -n 1)
	with=$(sort -n "$TMP/with" | head -n 1)
	note "ns to connect: $without directly, $with to a VIP"
	[ -n "${SLOW-}" ] || [ "$with" -lt $((without * 3 / 2)) ] || fail 'connecting costs more'
	lb service del "$vip:$PORT/tcp"
}

refused() # STATUS TEXT COMMAND...
{
	local status=0

	"${@:3}" >"$TMP/refused" 2>&1 || status=$?
	equal "$status" "$1" "status of ${*:3}"
	grep -qF "$2" "$TMP/refused" || fail "${*:3} says: $(cat "$TMP/refused")"
}

bad_words()
{
	local script=$top/scripts/attach-sock.sh

	refused 2 usage "$script"
	refused 2 "'/tmp' is no cgroup" "$script" /tmp
	refused 1 "no network namespace 'nobody'" "$script" -n nobody "$cgroup"
	refused 1 "no device 'nothing'" "$script" -n "${prefix}lb" -d nothing "$cgroup"
	refused 1 'no balancer on veth0' "$script" -n "${prefix}h1" -d veth0 "$cgroup"
	no_programs
}

lab_up
start_servers
start_web
start_knot h3 h3
await 10 serves h3 53
make_cgroup
attach >"$TMP/log" 2>&1
bad_words

echo "by the balancer's maps"
client=lb
"$top/scripts/attach-sock.sh" -n "${prefix}lb" "$cgroup"
refused 1 'already' "$top/scripts/attach-sock.sh" -n "${prefix}lb" "$cgroup"
each_family one_family
use_family 4
costs
detached_in_use
lb service del "$vip:$PORT/tcp"

echo "by maps of their own"
client=h1
on h1 "$top/scripts/attach-sock.sh" "$cgroup" 2>"$TMP/log"
each_family one_family
detached_in_use
[ ! -e $OWN ] || fail "$OWN is left"
