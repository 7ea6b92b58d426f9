# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# A real DNS server (knotd) for tests: to be sourced after lib.sh.

# It serves the zone example. on port 53, in a moment; name.example. says who answers.
start_knot() # HOST NAME [WORKERS]
{
	local dir=$TMP/knot-$1

	mkdir -p "$dir"
	cat >"$dir/zone" <<-END
		@ 3600 SOA ns hostmaster 1 900 300 604800 300
		@ 3600 NS ns
		ns 3600 A 192.0.2.1
		name 0 TXT "$2"
	END
	cat >"$dir/conf" <<-END
		server:
		    rundir: $dir
		    listen: [ 0.0.0.0@53, ::@53 ]
		    udp-workers: ${3:-1}
		    tcp-workers: 1
		    background-workers: 1
		database:
		    storage: $dir
		zone:
		  - domain: example
		    storage: $dir
		    file: zone
	END
	on "$1" knotd -c "$dir/conf" >"$dir/log" 2>&1 &
}
