#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# structure.sh: whether the C of the balancer still has its plan (maps/README.md). Says what breaks it:
# circles of files that need each other, a room that uses one above it, a header that declares what the
# source of its name does not define.
set -uo pipefail
cd "$(dirname "$(realpath "$0")")/.." || exit
failures=0

complain()
{
	! grep . || failures=1
}

# "FILE FILE" for each file of ours that another one includes, by the path from the top level.
includes()
{
	local file name

	grep -oE '^#include "[^"]+"' {maps,datapath}/*.h maps/*/*.[ch] | sed 's/:#include "/ /; s/"$//' |
		while read -r file name; do
			for name in "$name" "maps/$name" "$(dirname "$file")/$name"; do
				[ ! -f "$name" ] || { echo "$file $name" && break; }
			done
		done
}

# A source and its header are one. Only the table of commands and the list of parts of `watch` may
# name those who look into them.
circles()
{
	grep -v -e '^maps/cmd/command\.c ' -e '^maps/watch/watch\.c ' <<<"$includes" |
		sed 's/\.[ch] / /; s/\.[ch]$//' | awk '$1 != $2' |
		tsort 2>&1 >/dev/null | sed 's/^tsort: -/circle/'
}

# What a room may use; all may use maps/xdp_lb.h, and the table of commands names all.
rooms()
{
	awk '
	BEGIN {
		may["lib"] = ""; may["kernel"] = "lib"; may["model"] = "lib kernel"
		may["cmd"] = "lib kernel model"; may["doctor"] = may["watch"] = may["cmd"] " cmd"
	}
	$1 != "maps/cmd/command.c" && split($1, from, "/") == 3 && split($2, to, "/") == 3 &&
		from[2] != to[2] && (" " may[from[2]] " ") !~ (" " to[2] " ") {
		print $1 " uses " $2 ", which is above it"
	}' <<<"$includes"
}

# Names of functions and data that stand at the beginning of a line, without what is static. A
# declaration ends with a semicolon, a definition has a body or a value.
names() # declared|defined FILE
{
	sed 's,/\*.*\*/,,; /\/\*/,/\*\//d' "$2" | awk -v what="$1" '
	/^[a-z_][a-zA-Z_0-9 *]*[ *][a-z_0-9]+(\(|\[|;| =)/ && !/^(static|typedef|return)/ &&
		!/^(struct|union|enum) [a-z_]+ *[{;]/ {
		text = $0
		while (text !~ /[;{]/ && (getline line) > 0)
			text = text " " line
		is_extern = sub(/^extern /, "", text)
		is_function = text ~ /^[^=;{]*\(/
		is_body = text ~ /[{=]/ || (!is_function && !is_extern)
		name = text
		sub(/ *[([;={].*/, "", name)
		sub(/.*[ *]/, "", name)
		if (what == "declared" ? !is_body : is_body)
			print name
	}' | sort -u
}

headers()
{
	local header source name

	for header in maps/*/*.h; do
		source=${header%.h}.c
		comm -23 <(names declared "$header") \
			<([ ! -f "$source" ] || names defined "$source") |
			while read -r name; do
				echo "$header declares $name, which $source does not define"
			done
	done
}

includes=$(includes)
complain < <(circles)
complain < <(rooms)
complain < <(headers)
exit $failures
