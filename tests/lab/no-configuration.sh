#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# What is no configuration takes nothing away: an empty file, one that was cut short, one without an
# end. And `save FILE` leaves the file as it was, or has it whole.
#
#    lb VIP, h2, h3 (no traffic)
. "$(dirname "$(realpath "$0")")/../lib.sh"

configure()
{
	use_family 4
	service_up 8000/tcp
	lb deny add 192.0.2.0/24
	saved=$(lb save)
}

without_service()
{
	: >"$TMP/nothing"
	printf '# a comment\ntimeout set tcp 5\ndeny add 198.51.100.1\n' >"$TMP/no-service"
	lb_refuses 1 "'$TMP/nothing' has no service" apply "$TMP/nothing"
	lb_refuses 1 "apply $TMP/nothing empty" apply "$TMP/nothing"
	lb_refuses 1 'has no service' apply "$TMP/nothing" dry-run
	lb_refuses 1 'has no service' apply "$TMP/no-service"
	lb_refuses 1 'has no service' apply - </dev/null
	lb_refuses 1 'has no service' apply - <&-
	lb_refuses 1 'standard input has no service' apply - < <(false)
	lb_refuses 2 './empty' apply empty
	lb_refuses 2 './dry-run' apply dry-run empty
	lb_refuses 2 'empty' apply "$TMP/nothing" empty empty
}

# A file may have the name of the word.
with_the_word()
{
	lb apply "$TMP/nothing" empty dry-run >"$TMP/out"
	grep -qF 'service del 10.0.0.10:8000/tcp' "$TMP/out" || fail "dry run: $(cat "$TMP/out")"
	equal "$(lb save)" "$saved" "configuration after a dry run"
	(cd "$TMP" && cp no-service empty && lb apply ./empty empty >out)
	equal "$(lb -j service show)" '[]' "services after apply ./empty empty"
	equal "$(lb -j deny show)" '["198.51.100.1/32"]' "denies after apply ./empty empty"
	# As at a first boot.
	lb apply "$TMP/nothing"
	lb apply - </dev/null
	equal "$(lb -j deny show)" '[]' "denies after an empty file"
	lb apply - <<<"$saved" >"$TMP/out"
	equal "$(lb save)" "$saved" "configuration applied again"
}

# The first line of what save prints announces the last.
cut_short()
{
	local lines size i

	lb save >"$TMP/file"
	lines=$(wc -l <"$TMP/file") size=$(stat -c %s "$TMP/file")
	grep -qF "$(tail -n 1 "$TMP/file")" <<<"$(head -n 1 "$TMP/file")" ||
		fail "the first line does not announce the last: $(head -n 1 "$TMP/file")"
	for ((i = 1; i < lines; i++)); do
		head -n "$i" "$TMP/file" >"$TMP/short"
		! lb apply "$TMP/short" >"$TMP/out" 2>"$TMP/error" || fail "taken: $i lines of $lines"
	done
	equal "$(lb save)" "$saved" "configuration after files cut short"
	head -c $((size - 2)) "$TMP/file" >"$TMP/short"
	lb_refuses 2 'cut short' apply "$TMP/short"
	lb_refuses 2 'cut short' apply - <"$TMP/short"
	{ echo && echo '# mine' && cat "$TMP/short"; } >"$TMP/short2"
	lb_refuses 2 'cut short' apply "$TMP/short2"

	# Lines between may be edited, added behind, and end as those of other systems.
	{ sed 's/weight 100/weight 7/' "$TMP/file" && echo 'deny add 203.0.113.1'; } >"$TMP/edited"
	sed -i 's/$/\r/' "$TMP/edited"
	lb apply "$TMP/edited" >"$TMP/out"
	equal "$(lb save | grep -c 'weight 7$')" 2 "weights as edited"
	truncate -s -1 "$TMP/file"
	lb apply "$TMP/file" >"$TMP/out"
	equal "$(lb save)" "$saved" "configuration from a file without its last newline"
}

# Memory is bounded, and so is time.
without_end()
{
	(
		ulimit -v 400000
		lb_refuses 2 'longer than' apply /dev/zero
		lb_refuses 2 'longer than' apply - < <(yes 'deny add 192.0.2.77')
		lb_refuses 2 'longer than' apply - < <(yes '# comment')
	)
}

save_to_file()
{
	echo before >"$TMP/kept"
	chmod 640 "$TMP/kept"
	ln -s kept "$TMP/link"
	lb save "$TMP/link" >"$TMP/out"
	equal "$(cat "$TMP/out")" '' "what save FILE prints"
	equal "$(cat "$TMP/kept")" "$saved" "what save FILE writes"
	equal "$(stat -c %a "$TMP/kept")" 640 "mode of the file"
	[ -L "$TMP/link" ] || fail "save FILE replaces a symbolic link"
	equal "$(lb save -)" "$saved" "what save - prints"
	(umask 027 && lb save "$TMP/new")
	equal "$(stat -c %a "$TMP/new")" 640 "mode of a new file"

	# Without room, a directory, or a balancer, the file is as it was.
	mkdir "$TMP/full"
	mount -t tmpfs -o size=4k tmpfs "$TMP/full"
	echo before >"$TMP/full/kept"
	lb_refuses 1 'No space' save "$TMP/full/kept"
	equal "$(cat "$TMP/full/kept")" before "file on a full disk"
	equal "$(ls "$TMP/full")" kept "files on a full disk"
	lb_refuses 1 "'$TMP/none/file'" save "$TMP/none/file"
	lb_refuses 1 'not a regular file' save "$TMP/full"
	lb_refuses 1 'not a regular file' save /dev/null
	lb_refuses 2 'expected no more words' save "$TMP/new" now
	"$top/scripts/detach.sh" -n "${prefix}lb" veth6 >"$TMP/out" 2>&1
	! lb save "$TMP/kept" 2>"$TMP/error" || fail "save without a balancer"
	equal "$(cat "$TMP/kept")" "$saved" "file after save without a balancer"
}

lab_up
attach
configure
without_service
with_the_word
cut_short
without_end
save_to_file
