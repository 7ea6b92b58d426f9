#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# save and apply: what was saved comes back exactly, into a running balancer and into an empty one;
# applying what runs changes nothing; a file is all or nothing; several files are one configuration.
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

# One file has the service, the other one a backend of it: all or nothing, too.
several_files()
{
	printf 'service add %s:8000/tcp\nbackend add %s:8000/tcp %s\n' \
		"$vip" "$vip" "$backend2" >"$TMP/shared"
	printf 'deny add 192.0.2.0/24\n' >>"$TMP/shared"
	printf '\nbackend add %s:8000/tcp %s\n' "$vip" "$backend3" >"$TMP/own"
	lb apply "$TMP/shared" "$TMP/own" >"$TMP/out"
	equal "$(lb -j service show | jq '.[].backends | length')" 2 "backends of two files"
	lb save >"$TMP/saved"

	lb_refuses 2 "$TMP/own:2: $vip:8000/tcp is not" apply "$TMP/own" "$TMP/shared"
	echo 'deny add 192.0.2.0/24' >>"$TMP/own"
	lb_refuses 2 "$TMP/own:3: 192.0.2.0/24 is denied twice" apply "$TMP/shared" "$TMP/own"
	lb_refuses 2 "standard input:2: $vip:8000/tcp is already" \
		apply "$TMP/shared" - < <(echo && head -1 "$TMP/shared")
	lb_refuses 2 'standard input once' apply - "$TMP/own" - </dev/null
	lb_refuses 2 'no more words' apply "$TMP/shared" dry-run "$TMP/own"
	lb_refuses 1 'none of 2 files has a service' apply /dev/null /dev/null
	lb save | cmp "$TMP/saved" - || fail "what was refused changed something"
	lb apply - empty </dev/null
}

both()
{
	configure
	reapply
	unresolved
	several_files
}

lab_up
attach
start_web
lb timeout set udp 20
each_family both
