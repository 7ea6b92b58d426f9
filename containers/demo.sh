#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# demo.sh: the balancer's main job in containers: images, a network with a client, the balancer and two
# backends (compose.yaml), requests through the VIP, who answered. With podman (and runc) or docker,
# whichever is there, or what ENGINE says. The engine runs in namespaces made for it, with all
# that it stores in memory: it knows nothing of this machine's containers, and nothing stays behind.
set -euo pipefail
. "$(dirname "$(realpath "$0")")/../scripts/lib.sh"
# shellcheck source=engine.sh
. "$here/engine.sh"

readonly REQUESTS=40
readonly tmp=/run/demo
top=$(realpath "$here/..")

# Of its own, so that it does its work whatever becomes of this script.
clean_up_after() # PID
{
	trap '' INT TERM HUP
	tail --pid="$1" -f /dev/null
	remove_cgroups
}

end_early() # STATUS
{
	trap '' INT TERM
	kill "$inside"
	wait
	exit "$1"
}

# All else runs in a network, a mount and a pid namespace.
outside()
{
	local inside status=0

	need_root
	ENGINE=$(find_engine)
	export ENGINE
	"$here/base.sh"
	unshare --net setpriv --pdeathsig TERM "$top/scripts/isolated.sh" "$0" </dev/null &
	inside=$!
	trap 'end_early 130' INT
	trap 'end_early 143' TERM
	clean_up_after $inside &
	wait $inside || status=$?
	wait
	exit $status
}

begin() # STEP
{
	step=$1
	echo
	echo "== ${step^}"
}

finish()
{
	local status=$?

	[ $status = 0 ] || {
		echo "demo: failed while $step (status $status)"
		tail -n 20 "$tmp/log" "$ENGINE_DIR/log"
		"$engine" ps -a
		"$engine" logs xdp-lb-balancer
	} >&2 2>&1
	exit $status
}

compose()
{
	docker-compose --project-name xdp-lb --file "$here/compose.yaml" --ansi never "$@" >>"$tmp/log" 2>&1
}

run_in() # CONTAINER COMMAND...
{
	"$engine" exec "xdp-lb-$1" "${@:2}"
}

# A connection for each request; a bar for each backend.
request() # ADDRESS BACKENDS: how many are to answer
{
	local count name

	# shellcheck disable=SC2016 # the container's shell's
	run_in client bash -c 'for ((i = 0; i < $1; i++)); do
			curl -sS --fail --max-time 5 "http://$0/"
		done' "$1" $REQUESTS >"$tmp/answers"
	sort "$tmp/answers" | uniq -c | while read -r count name; do
		printf '   %-20s %8d  %s\n' "$name" "$count" "$(printf '#%.0s' $(seq "$count"))"
	done
	[ "$(sort -u "$tmp/answers" | wc -l)" = "$2" ] || die "expected answers of $2 backends"
}

is_failing() # BACKEND
{
	"$engine" exec xdp-lb-balancer xdp-lb -j -d eth0 service show | jq -e --arg address "$1" '
		any(.[].backends[]; .address == $address and .health == "failing")'
}

main()
{
	local address

	mkdir $tmp
	trap finish EXIT
	engine=$ENGINE
	begin "starting $engine in namespaces of its own"
	start_engine "$engine"
	begin "building the images, of Debian packages"
	"$here/images.sh" "$engine" 2>&1 | sed 's/^/   /'
	"$engine" images | sed 's/^/   /'
	begin "starting the containers of containers/compose.yaml"
	compose up -d
	"$here/peer.sh" "$("$engine" inspect --format '{{.State.Pid}}' xdp-lb-balancer)" 2>&1 |
		sed 's/^/   /'
	for address in 10.0.0.2 10.0.0.3 10.0.0.10 '[fd00:10::10]'; do
		keep_trying run_in client curl -sS --fail --max-time 2 "http://$address:8000/"
	done
	"$engine" ps --format '{{.Names}}: {{.Image}} {{.Status}}' | sed 's/^/   /'
	for address in 10.0.0.10:8000 '[fd00:10::10]:8000'; do
		begin "$REQUESTS requests from the client to http://$address/"
		request "$address" 2
	done
	begin "stopping backend2, and $REQUESTS requests more"
	"$engine" stop --time 1 xdp-lb-backend2 >>"$tmp/log" 2>&1
	keep_trying is_failing 10.0.0.2
	request 10.0.0.10:8000 1
	begin "what the balancer has counted"
	run_in balancer xdp-lb -d eth0 stats | sed 's/^/   /'
	begin "taking the containers down"
	compose down --timeout 1
	echo "The containers are down."
}

if [ "${XDP_LB_ISOLATED-}" = "$(realpath "$0")" ]; then
	main
else
	outside
fi
