# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# For the tests in tests/lab: to be sourced first. A test runs in namespaces of its own, with a
# bpffs and a /run of its own (scripts/isolated.sh): whatever ends it, nothing stays behind, and it
# can run beside others. Its lab:
#
#    h1 10.0.0.1        h2 10.0.0.2        h3 10.0.0.3        lb 10.0.0.10
#    fd00:10::1         fd00:10::2         fd00:10::3         fd00:10::10
#        |                  |                  |                  |
#    ----+------------------+--- sw (bridge) --+------------------+----
#
# Exit status: 0 passed, 4 skipped, else failed.
set -euo pipefail

readonly SKIP=4
top=$(realpath "$(dirname "${BASH_SOURCE[0]}")/..")

if [ "${XDP_LB_ISOLATED-}" != "$(realpath "$0")" ]; then
	exec "$top/scripts/isolated.sh" "$0" "$@"
fi

# Tests read words and numbers of other programs.
export LC_ALL=C.UTF-8
export LAB=${LAB-test}
readonly prefix=${LAB:+$LAB-}
readonly TMP=/run/test
readonly TOOLS=$top/build/tests/tools
readonly ASK='silent\nshow-error\nfail\nmax-time = 10\nheader = "Connection: close"'

mkdir "$TMP"
trap 'exit 130' INT
trap 'exit 143' TERM
trap finish EXIT

# How much of something: what suits this machine (with SLOW set it is an emulated one), or, with LONG
# set, as much as is worth while before a release.
scaled() # NORMAL SLOW [LONG]
{
	if [ -n "${SLOW-}" ]; then
		echo "$2"
	elif [ -n "${LONG-}" ]; then
		echo "${3-$1}"
	else
		echo "$1"
	fi
}

# What to look at, for a test that failed.
finish()
{
	local status=$?

	if [ $status != 0 ] && [ $status != $SKIP ] && [ -e "/run/netns/${prefix}lb" ]; then
		set +e
		echo "--- exit status $status; the balancer:"
		lb service show
		lb stats
		on lb ethtool -S veth6 | grep -E 'xdp|drop|err' | grep -v ': 0$'
	fi >&2
	exit $status
}

fail()
{
	echo "FAILED: $*" >&2
	exit 1
}

skip()
{
	echo "skipped: $*"
	exit $SKIP
}

note()
{
	echo "    $*"
}

equal() # GOT WANTED WHAT
{
	[ "$1" = "$2" ] || fail "$3: '$1', expected '$2'"
}

within() # GOT LEAST MOST WHAT
{
	[ "$1" -ge "$2" ] && [ "$1" -le "$3" ] || fail "$4: $1, expected $2 to $3"
	note "$4: $1"
}

# Runs a command line of the helper; its status, one line of error, and nothing changed.
lb_refuses() # STATUS TEXT WORD...
{
	local status=0 saved

	saved=$(lb save)
	lb "${@:3}" >"$TMP/out" 2>"$TMP/error" || status=$?
	equal "$status" "$1" "status of ${*:3} ($(cat "$TMP/error"))"
	equal "$(wc -l <"$TMP/error")" 1 "lines of error of ${*:3}"
	grep -qF -- "$2" "$TMP/error" || fail "no '$2' in: $(cat "$TMP/error")"
	equal "$(lb save)" "$saved" "configuration after ${*:3}"
}

# Waits until a command succeeds.
await() # SECONDS COMMAND...
{
	local end=$((SECONDS + $1 * $(scaled 1 10)))

	shift
	until "$@" >/dev/null 2>&1; do
		[ $SECONDS -lt $end ] || fail "in vain waited for: $*"
		sleep 0.05
	done
}

# Whether the balancer knows so many flows: a client takes a connection for open before its last
# packet is here.
knows_flows() # COUNT
{
	[ "$(lb -j flow count | jq .flows)" = "$1" ]
}

# A command on a host of the lab. Not `ip netns exec`: the test's bpffs must stay visible.
on() # HOST COMMAND...
{
	local host=$1

	shift
	nsenter --net="/run/netns/$prefix$host" -- "$@"
}

# The same in the background, its process in $pid: a function would be a shell's.
spawn() # HOST COMMAND...
{
	nsenter --net="/run/netns/$prefix$1" -- "${@:2}" &
	# shellcheck disable=SC2034 # for the tests
	pid=$!
}

# Packets that the lab's own queues have dropped so far (a veth's ring, a CPU's backlog), which no
# balancer saw or could help: on a busy machine these overflow.
lab_drops()
{
	local ns

	for ns in "/run/netns/$prefix"*; do
		nsenter --net="$ns" -- ip -j -s -s link
	done | jq -s '[.[][].stats64 | .rx.dropped + .tx.dropped] | add'
}

lb()
{
	"$top/xdp-lb" -n "${prefix}lb" "$@"
}

lab_up()
{
	"$top/scripts/setup.sh" >"$TMP/setup.log" 2>&1 || {
		cat "$TMP/setup.log" >&2
		fail "setup.sh"
	}
}

attach()
{
	"$top/scripts/attach.sh" -n "${prefix}lb" -m native veth6
}

# Sets what a test says of addresses.
use_family() # 4 or 6
{
	family=$1
	# shellcheck disable=SC2034 # for the tests
	case $family in
	4) net=10.0.0. vip_address=10.0.0.10 vip=10.0.0.10 more=10.0.0.101 ;;
	6) net=fd00:10:: vip_address=fd00:10::10 vip="[fd00:10::10]" more=fd00:10::101 ;;
	esac
	backend2=${net}2 backend3=${net}3
	url=http://$vip:8000
}

each_family() # FUNCTION: runs it for IPv4 and IPv6, or what FAMILIES says
{
	local this_family

	for this_family in ${FAMILIES:-4 6}; do
		use_family "$this_family"
		echo "IPv$this_family"
		"$@"
	done
}

# A service with both backends.
service_up() # PORT/PROTO [WORDS of service add]
{
	lb service add "$vip:$1" "${@:2}"
	lb backend add "$vip:$1" "$backend2"
	lb backend add "$vip:$1" "$backend3"
}

serves() # HOST PORT: whether something listens there
{
	[ -n "$(on "$1" ss -Hltu "sport = :$2")" ]
}

start_web()
{
	local host

	for host in h2 h3; do
		on "$host" "$top/scripts/web.sh" "$TMP/$host" "$host" 8000 2>"$TMP/web.log" &
	done
	await 5 serves h2 8000
	await 5 serves h3 8000
}

# Echo servers on both backends.
start_echo() # tcp|udp PORT [PROCESSES]
{
	local host i

	for host in h2 h3; do
		for ((i = 0; i < ${3:-1}; i++)); do
			on "$host" "$TOOLS/$1" serve "$2" &
		done
		await 5 serves "$host" "$2"
	done
}

# More addresses for the client: COUNT of them from $more on.
add_addresses() # COUNT
{
	local i

	for ((i = 0; i < $1; i++)); do
		if [ "$family" = 4 ]; then
			echo "addr add 10.0.0.$((101 + i))/24 dev veth0"
		else
			printf 'addr add fd00:10::1%02x/64 dev veth0 nodad\n' $((1 + i))
		fi
	done | on h1 ip -batch -
}

# Connections to port 7000 of the VIP, which processes of the client open from ADDRESSES of its
# addresses and hold; and then each is used once, and closed.
declare -a holders=()

hold_connections() # PROCESSES CONNECTIONS_OF_EACH ADDRESSES
{
	local i

	holders=()
	for ((i = 0; i < $1; i++)); do
		spawn h1 "$TOOLS/tcp" hold "$vip_address" 7000 "$2" "$more" "$3" >"$TMP/hold$i"
		holders+=("$pid")
	done
	for ((i = 0; i < $1; i++)); do
		await 300 grep -q open "$TMP/hold$i"
	done
	await 5 knows_flows $(($1 * $2))
	note "$(($1 * $2)) connections are open"
}

use_connections()
{
	local holder

	kill -USR1 "${holders[@]}"
	for holder in "${holders[@]}"; do
		wait "$holder" || fail "connections were lost"
	done
}

# COUNT requests, with a connection each, from local ports that no other one had (whose choice is
# not left to chance, so that the shares do not vary from run to run): what answers, how often, as
# "NAME COUNT" lines.
ask() # COUNT
{
	local first

	first=$(cat "$TMP/port" 2>/dev/null || echo 10001)
	echo $((first + $1)) >"$TMP/port"
	seq "$first" $((first + $1 - 1)) | sed "s|.*|next\nurl = $url/\nlocal-port = &\n$ASK|" |
		sed 1d | on h1 curl --config - | sort | uniq -c | awk '{ print $2, $1 }'
}

count_of() # NAME LINES: the number behind a name, 0 if it is not there
{
	awk -v name="$1" '$1 == name { count = $2 } END { print count + 0 }' <<<"$2"
}

# All counts of such lines.
sum_of() # LINES
{
	awk '{ sum += $2 } END { print sum + 0 }' <<<"$1"
}

random_file() # SIZE FILE
{
	head -c "$1" /dev/urandom >"$2"
}

# A file that both web servers have, for downloads of some seconds. The rate that curl is given
# makes it so, after the first 10 MB: these it may read at once.
serve_file()
{
	random_file "$(scaled 100000000 20000000)" "$TMP/file"
	cp "$TMP/file" "$TMP/h2/files"
	cp "$TMP/file" "$TMP/h3/files"
}

# Errors that a wrong packet leaves in the counters of any namespace.
expect_no_errors() # [HOST...]
{
	local host errors

	[ $# -gt 0 ] || set -- h1 h2 h3 lb
	for host in "$@"; do
		errors=$(on "$host" nstat -asz | awk -v expected="${EXPECTED_ERRORS:-none}" \
			'/CsumErrors|InHdrErrors|InErrors/ && $2 != 0 && $1 !~ expected')
		[ -z "$errors" ] || fail "errors counted in $host: $errors"
	done
}

program_id()
{
	on lb ip -j -d link show dev veth6 | jq -r '.[0].xdp.prog.id // 0'
}
