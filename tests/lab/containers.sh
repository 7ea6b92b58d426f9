#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# The containers: the demo runs its course, and nothing is left of it, when it is killed half-way
# either; and the balancer's image on a host's own network: it attaches, configures, and ends; or goes
# on as `watch`, until it is stopped.
#
#    h1 curl ---> lb: veth6, balanced by what a container left there ---> h2, h3 nginx
. "$(dirname "$0")/../lib.sh"
. "$top/scripts/lib.sh"
# shellcheck source=../../containers/engine.sh
. "$top/containers/engine.sh"

readonly CONTAINERS=$top/containers

cgroups()
{
	find /sys/fs/cgroup -type d -name "$CGROUP*"
}

# Of the engine, however it names them.
processes()
{
	pgrep -fl 'podman|conmon|containerd|dockerd|runc' || true
}

nothing_left()
{
	equal "$(cgroups)" '' 'cgroups left'
	equal "$(processes)" '' 'processes left'
	equal "$(ip -o link | wc -l)" "$links_before" 'devices in this network namespace'
	equal "$(find /sys/fs/bpf -name 'xlb_*')" '' 'pins left'
}

gone()
{
	[ -z "$(cgroups)$(processes)" ]
}

demo_runs()
{
	local address answers

	"$CONTAINERS/demo.sh" >"$TMP/demo" 2>&1 || fail "the demo: $(cat "$TMP/demo")"
	for address in '10.0.0.10' '\[fd00:10::10\]'; do
		answers=$(sed -n "/requests from the client to http:..$address/,/^\$/p" "$TMP/demo" |
			awk '/ backend[23] / { sum += $2; lines++ } END { print lines, sum }')
		equal "$answers" '2 40' "backends and answers for $address"
	done
	grep -qE '^   backend3 +40 ' "$TMP/demo" || fail "backend2 stopped: $(tail -n 30 "$TMP/demo")"
	nothing_left
}

answered()
{
	grep -q ' backend2 ' "$TMP/demo"
}

not_there()
{
	local status=0

	ENGINE=nobody "$CONTAINERS/demo.sh" >"$TMP/demo" 2>&1 || status=$?
	equal "$status" 2 'status with an engine that is none'
	grep -q "bad ENGINE 'nobody'" "$TMP/demo" || fail "says: $(cat "$TMP/demo")"
}

killed_demo() # SIGNAL STATUS
{
	local status=0

	: >"$TMP/demo"
	env --default-signal "$CONTAINERS/demo.sh" >"$TMP/demo" 2>&1 &
	await 60 answered
	[ -n "$(cgroups)" ] || fail 'the demo has no cgroups: the test looks for the wrong thing'
	kill "-$1" $!
	wait $! || status=$?
	equal "$status" "$2" "status of a demo ended by SIG$1"
	await 5 gone
	nothing_left
}

# As containers/README.md says, but that the host is namespace lb.
run_balancer() # [OPTION]... IMAGE [WORD]...
{
	on lb podman run --rm --network host --cgroup-parent "$CGROUP" \
		--cap-add NET_ADMIN,SYS_ADMIN \
		--env DEV=veth6 --volume /sys/fs/bpf:/sys/fs/bpf \
		--volume "$TMP/xdp-lb.conf:/etc/xdp-lb.conf:ro" "$@"
}

has_health() # BACKEND HEALTH
{
	lb -j service show | jq -e --arg address "$1" --arg health "$2" '
		any(.[].backends[]; .address == $address and .health == $health)'
}

# A container that goes on: it checks, writes its files, and ends by SIGTERM.
watches()
{
	local status=0 watcher

	mkdir "$TMP/files"
	run_balancer --name watcher --cap-add NET_RAW --volume "$TMP/files:/run/xdp-lb" \
		localhost/xdp-lb watch >"$TMP/watch.log" 2>&1 &
	watcher=$!
	await 20 has_health "$backend2" ok
	kill "$(cat "$TMP/h2/pid")"
	await 20 has_health "$backend2" failing
	equal "$(ask 20)" 'h3 20' 'answers, one backend failing'
	await 5 [ -e "$TMP/files/status.json" ]
	on lb podman stop --time 10 watcher >"$TMP/log" 2>&1
	wait $watcher || status=$?
	equal "$status" 0 "status of watch, stopped ($(cat "$TMP/watch.log"))"
}

# A second run changes nothing, and takes a changed configuration.
on_a_host()
{
	local id shares

	lab_up
	start_web
	grep -v '::' "$CONTAINERS/xdp-lb.conf" | tee "$TMP/xdp-lb.conf"
	run_balancer localhost/xdp-lb || fail 'the container'
	id=$(program_id)
	[ "$id" != 0 ] || fail 'nothing is attached'
	[ -e /sys/fs/bpf/tc/globals/xlb_services ] || fail 'the maps are not pinned'
	use_family 4
	shares=$(ask 40)
	equal "$(sum_of "$shares")" 40 'answers'
	within "$(count_of h2 "$shares")" 5 35 'answers of h2'
	echo 'service add 10.0.0.10:9000/tcp' >>"$TMP/xdp-lb.conf"
	run_balancer localhost/xdp-lb -j service show >"$TMP/services" 2>"$TMP/log" ||
		fail "again: $(cat "$TMP/log")"
	equal "$(jq length "$TMP/services")" 2 'services after the second run'
	equal "$(program_id)" "$id" 'the program after the second run'
	watches
	equal "$(program_id)" "$id" 'the program after watch has ended'
	run_balancer --entrypoint /usr/local/lib/xdp-lb/detach.sh localhost/xdp-lb veth6
	equal "$(program_id)" 0 'the program after detach.sh'
	equal "$(find /sys/fs/bpf -name 'xlb_*')" '' 'pins after detach.sh'
}

[ -n "$(command -v podman)" ] || skip 'no podman here'
"$CONTAINERS/base.sh" 2>"$TMP/log" || {
	! curl -s --max-time 10 -o "$TMP/out" http://deb.debian.org/ || fail "base.sh: $(cat "$TMP/log")"
	skip 'no Debian packages to be had: no network'
}
links_before=$(ip -o link | wc -l)
not_there
demo_runs
killed_demo TERM 143
killed_demo KILL 137
trap 'status=$?; podman kill --all >"$TMP/log" 2>&1 || true; remove_cgroups; exit $status' EXIT
start_engine podman
"$CONTAINERS/images.sh" podman
on_a_host
