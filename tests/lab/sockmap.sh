#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# The example of scripts/sockmap, socket to socket: nothing is lost in 10,000 connections that end in
# every way, with a reader that does not read, and when it is detached meanwhile. Where the kernel has
# the fault that makes nginx stall as a proxy, attaching is refused, and rightly.
#
#    h1: lo 127.0.0.1, ::1; processes in a cgroup of their own
. "$(dirname "$0")/../lib.sh"
. "$top/tests/cgroup.sh"

readonly SOCKMAP=$top/scripts/sockmap PINS=/sys/fs/bpf/sockmap
readonly PAIRS=8100 WEB=8000 PROXY=8001 FILE_SIZE=102400

refused() # STATUS TEXT COMMAND...: on bad words, nothing is changed
{
	local status=0 wanted=$1 text=$2

	shift 2
	"$@" >"$TMP/refused" 2>&1 || status=$?
	equal "$status" "$wanted" "status of ${*##*/}"
	grep -qF "$text" "$TMP/refused" || fail "${*##*/} says: $(cat "$TMP/refused")"
	[ ! -e $PINS ] || fail "${*##*/} left pins"
}

bad_words()
{
	refused 2 "bad port '0'" "$SOCKMAP/attach.sh" "$cgroup" 0
	refused 2 "bad port '65536'" "$SOCKMAP/attach.sh" "$cgroup" 80 65536
	refused 2 "'/tmp' is no cgroup" "$SOCKMAP/attach.sh" /tmp 80
	refused 2 usage "$SOCKMAP/attach.sh" "$cgroup"
	refused 1 'nothing is attached' "$SOCKMAP/detach.sh" "$cgroup"
	refused 2 "bad time 'x'" "$SOCKMAP/detach.sh" -w x "$cgroup"
}

start_servers()
{
	mkdir -p "$TMP/web/files" "$TMP/proxy"
	random_file $FILE_SIZE "$TMP/web/files/file"
	inside h1 "$top/scripts/web.sh" "$TMP/web" web $WEB 2>"$TMP/web.log" &
	cat >"$TMP/proxy/conf" <<-END
		daemon off;
		user root;
		worker_processes 1;
		pid $TMP/proxy/pid;
		events { }
		http {
			access_log off;
			client_body_temp_path $TMP/proxy/body;
			fastcgi_temp_path $TMP/proxy/fastcgi;
			proxy_temp_path $TMP/proxy/proxy;
			scgi_temp_path $TMP/proxy/scgi;
			uwsgi_temp_path $TMP/proxy/uwsgi;
			server {
				listen $PROXY;
				listen [::]:$PROXY;
				location / { proxy_pass http://127.0.0.1:$WEB; }
			}
		}
	END
	inside h1 nginx -c "$TMP/proxy/conf" -e "$TMP/proxy/log" 2>"$TMP/proxy.log" &
	await 5 serves h1 $WEB
	await 5 serves h1 $PROXY
}

download() # PORT SECONDS: by a program in the cgroup; prints how many bytes came
{
	local loopback=$family_loopback

	[ "$loopback" = 127.0.0.1 ] || loopback="[$loopback]"
	inside h1 curl -s --max-time "$2" -o "$TMP/got" -w '%{size_download}' \
		"http://$loopback:$1/file" || true
}

# A refusal must be right: attached all the same, a download by way of nginx ends too early. Not each
# does: what the proxy finds in its queue at a time is chance.
refusal_is_right()
{
	local size try

	grep FIONREAD "$TMP/attach.log" || fail "attach.sh refuses: $(cat "$TMP/attach.log")"
	[ ! -e $PINS ] || fail 'pins are left'
	! bpftool cgroup show "$cgroup" | grep -w join || fail 'a program is left'
	"$SOCKMAP/attach.sh" -f "$cgroup" $WEB $PROXY $PAIRS 2>"$TMP/log" || fail 'attach.sh -f'
	start_servers
	for try in {1..50}; do
		size=$(download $PROXY "$(scaled 3 10)")
		[ "$size" = $FILE_SIZE ] || break
	done
	[ "$size" -lt $FILE_SIZE ] || fail "refused, but nginx as a proxy does not stall"
	note "refused, and rightly: download $try by a proxy stalls after $size bytes of $FILE_SIZE"
	"$SOCKMAP/detach.sh" "$cgroup" 2>"$TMP/log"
}

lo_bytes()
{
	on h1 ip -j -s link show dev lo | jq '.[0].stats64.rx.bytes'
}

# Twenty downloads, each way; prints how much of them went through the device, in percent.
web_share() # PORT
{
	local i before size

	before=$(lo_bytes)
	for ((i = 0; i < 20; i++)); do
		size=$(download "$1" 10)
		equal "$size" $FILE_SIZE 'bytes of a download'
		cmp "$TMP/got" "$TMP/web/files/file" || fail 'a download is not the file'
	done
	echo $((($(lo_bytes) - before) * 100 / (20 * FILE_SIZE)))
}

handed_over()
{
	local share

	share=$(web_share $WEB)
	within "$share" 0 20 "percent of a web server's bytes through the device"
	share=$(web_share $PROXY)
	within "$share" 0 20 "percent of a proxy's bytes through the device"
}

pairs() # HOW COUNT
{
	inside h1 "$TOOLS/pairs" "$family_loopback" $PAIRS "$1" "$2"
}

all_ends()
{
	pairs fin "$(scaled 4000 200)"
	pairs half "$(scaled 3000 200)"
	pairs reset "$(scaled 3000 200)"
	pairs stuck 1
	pairs slow 2
}

both_families() # COMMAND...
{
	for family_loopback in 127.0.0.1 ::1; do
		"$@"
	done
}

detach_in_use()
{
	local echo_pid stuck_pid family_loopback=127.0.0.1

	inside h1 "$TOOLS/pairs" ::1 $PAIRS echo 200 >"$TMP/echo" &
	echo_pid=$!
	pairs stuck 4 >"$TMP/stuck" &
	stuck_pid=$!
	sleep 1.2
	"$SOCKMAP/detach.sh" "$cgroup" 2>"$TMP/log" | tee "$TMP/detach"
	grep -q 'until they close' "$TMP/detach" || fail 'detach.sh saw no connection'
	[ -e $PINS/sockets ] || fail 'the map is gone while it is in use'
	refused_attach
	wait $echo_pid || fail 'a connection broke that was open while detaching'
	wait $stuck_pid || fail 'a reader that was behind while detaching lost something'
	"$SOCKMAP/detach.sh" -w 10 "$cgroup" 2>"$TMP/log"
	[ ! -e $PINS ] || fail 'pins are left'
	! bpftool cgroup show "$cgroup" | grep -w join || fail 'a program is left'
}

refused_attach()
{
	! "$SOCKMAP/attach.sh" "$cgroup" $WEB 2>"$TMP/twice" || fail 'attached twice'
	grep -q 'see detach.sh' "$TMP/twice" || fail "attached twice: $(cat "$TMP/twice")"
}

ip netns add "${prefix}h1"
on h1 ip link set dev lo up
on h1 sysctl -qw net.ipv6.conf.all.disable_ipv6=0
family_loopback=127.0.0.1
make_cgroup
bad_words

if ! on h1 "$SOCKMAP/attach.sh" "$cgroup" $WEB $PROXY $PAIRS >"$TMP/attach.log" 2>&1; then
	refusal_is_right
	exit
fi
refused_attach
start_servers
both_families handed_over
both_families all_ends
detach_in_use
family_loopback=127.0.0.1
share=$(web_share $WEB)
within "$share" 100 120 'the same, detached'
