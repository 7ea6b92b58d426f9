#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# save and apply: what was saved comes back exactly, into a running balancer and into an empty one;
# applying what runs changes nothing; a file is all or nothing.
. "$(dirname "$(realpath "$0")")/../lib.sh"

configure()
{
	service_up 8000/tcp
	service_up 53/udp table 1021 settle 30 hash source
	lb service add "$vip:*/udp" mode dsr
	lb backend add "$vip:*/udp" "$backend2" weight 7 mac 02:00:00:00:00:07
	lb backend set "$vip:8000/tcp" "$backend2" weight 300
	lb backend drain "$vip:8000/tcp" "$backend3"
	lb backend down "$vip:53/udp" "$backend3"
}

reapply()
{
	lb save >"$TMP/saved"
	note "$(wc -l <"$TMP/saved") lines"

	# What runs already.
	lb apply "$TMP/saved" >"$TMP/out"
	lb save | cmp "$TMP/saved" - || fail "apply of what runs changed it"

	# Over a changed configuration; first only in thought.
	lb service del "$vip:8000/tcp"
	lb service add "$vip:8001/tcp"
	lb backend up "$vip:53/udp" "$backend3"
	lb timeout set tcp 33
	lb save >"$TMP/changed"
	lb apply "$TMP/saved" dry-run >"$TMP/out"
	grep -qF "$vip:8000/tcp" "$TMP/out" || fail "a dry run does not say: $(cat "$TMP/out")"
	lb save | cmp "$TMP/changed" - || fail "a dry run changed something"
	lb apply "$TMP/saved" >"$TMP/out"
	lb save | cmp "$TMP/saved" - || fail "apply over a changed configuration"

	# Comments, blank lines, standard input; and into an empty balancer.
	lb apply - empty </dev/null
	lb service show >"$TMP/out"
	! grep -qF "$vip" "$TMP/out" || fail "an empty file leaves a service"
	{ echo '# a comment' && echo && cat "$TMP/saved"; } | lb apply - >"$TMP/out"
	lb save | cmp "$TMP/saved" - || fail "apply to an empty balancer"
}

# An address that does not answer does not fail a file: it is kept out, until refresh.
unresolved()
{
	printf 'service add %s:8000/tcp\n' "$vip" >"$TMP/file"
	printf "backend add $vip:8000/tcp %s\n" "$backend2" "${net}77" >>"$TMP/file"
	lb apply "$TMP/file" >"$TMP/out" 2>"$TMP/error"
	grep -qF "${net}77" "$TMP/error" || fail "an address without an answer is not named"
	equal "$(ask 20)" "h2 20" "answers with one of two resolved"

	if [ "$family" = 4 ]; then
		on h3 ip addr add 10.0.0.77/24 dev veth5
	else
		on h3 ip addr add fd00:10::77/64 dev veth5 nodad
	fi
	lb refresh
	within "$(count_of h3 "$(ask 100)")" 25 75 "of 100 requests after refresh, h3 answered"
	lb apply - empty </dev/null
}

both()
{
	configure
	reapply
	unresolved
}

lab_up
attach
start_web
lb timeout set udp 20
each_family both
