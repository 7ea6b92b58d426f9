#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# import-ipvs.sh [FILE]: turns what `ipvsadm -Sn` prints (in FILE, or on standard input) into lines
# for `xdp-lb apply`, with a comment for each thing that has no counterpart.
set -euo pipefail
. "$(dirname "$(realpath "$0")")/lib.sh"

readonly ADDRESS='([0-9.]+|\[[0-9a-f:.]+\]):([0-9]+)'
readonly MAX_WEIGHT=1000 # of a backend; IPVS has up to 2^31

line=0 name=''
declare -A MODES=([-m]=nat [-g]=dsr [-i]=ipip)

# The service that is being read. `vip` is empty if it is one that the balancer cannot have.
vip='' vip_port='' hash='' comments=() reals=() modes=() weights=()

wrong() # TOKEN EXPECTED
{
	echo "$program: line $line: '$1': expected $2" >&2
	exit 2
}

comment()
{
	comments+=("# no counterpart: $*")
}

need_address() # WORD: sets address and port
{
	[[ $1 =~ ^$ADDRESS$ ]] || wrong "$1" "ADDRESS:PORT in figures, as ipvsadm -Sn prints it"
	address=${BASH_REMATCH[1]} port=${BASH_REMATCH[2]}
}

need_value() # OPTION [VALUE]
{
	[ $# -ge 2 ] || wrong "$1" "a value behind it"
}

# Of schedulers, those that hash the client's address have a counterpart.
scheduler() # NAME FLAGS
{
	case $1,$2 in
	sh,*sh-port* | mh,*mh-port*) ;;
	sh,* | mh,*) hash=source ;;
	*) comment "-s $1: flows are spread by a hash, in proportion to weights" ;;
	esac
}

persistence() # SECONDS
{
	hash=source
	comment "-p $1: a client keeps its backend for as long as the backends stay the same"
}

service_options() # WORD...
{
	local scheduler='' flags=''

	while [ $# -gt 0 ]; do
		[ "$1" = -o ] || need_value "${@:1:2}"
		case $1 in
		-s) scheduler=$2 ;;
		-b) flags=$2 ;;
		-p) persistence "$2" ;;
		-M) comment "-M $2: a client is an address, not a network" ;;
		--pe) comment "--pe $2: a client is told by its address" ;;
		-o)
			comment "-o: the datagrams of one flow keep their backend"
			shift
			continue
			;;
		*) wrong "$1" "an option of a service, as ipvsadm -Sn prints it" ;;
		esac
		shift 2
	done
	scheduler "$scheduler" "$flags"
}

service() # WORD...
{
	local words="-A $*"

	[ $# -ge 2 ] || wrong "$words" "a service"
	vip='' vip_port='' hash='' comments=() reals=() modes=() weights=()
	name="${*:1:2}"
	case $1 in
	-f) comment "$words: a service by the mark of a firewall" ;;
	--sctp-service) comment "$words: a service of SCTP" ;;
	-t | -u)
		need_address "$2"
		vip_port=$port
		vip=$address:${port/#0/'*'}/$([ "$1" = -t ] && echo tcp || echo udp)
		service_options "${@:3}"
		;;
	*) wrong "$1" "-t, -u, -f or --sctp-service" ;;
	esac
}

leave_out() # WORDS REASON
{
	comment "-a $1: $2"
}

server_options() # WORD...: sets mode, weight and tunnel
{
	mode='' weight=1 tunnel=ipip
	while [ $# -gt 0 ]; do
		case $1 in
		-m | -g | -i)
			mode=${MODES[$1]}
			shift
			continue
			;;
		--tun-nocsum | --tun-csum | --tun-remcsum)
			shift
			continue
			;;
		esac
		need_value "${@:1:2}"
		case $1 in
		-w) weight=$2 ;;
		-x | -y) comment "$1 $2 of $address: connections of a backend are not limited" ;;
		--tun-type) tunnel=$2 ;;
		--tun-port) ;;
		*) wrong "$1" "an option of a server, as ipvsadm -Sn prints it" ;;
		esac
		shift 2
	done
	[[ $weight =~ ^[0-9]{1,10}$ ]] || wrong "$weight" "a weight"
	[ -n "$mode" ] || wrong "-a" "one of -m, -g and -i"
}

server() # WORD...
{
	local words="$*" mode weight tunnel

	[ -n "$name" ] && [ "${*:1:2}" = "$name" ] || wrong "${*:1:2}" "a server of '$name'"
	shift 2
	[ "${1-}" != -6 ] || shift
	[ "${1-}" = -r ] && [ $# -ge 2 ] || wrong "-a $words" "-r and a server"
	need_address "$2"
	server_options "${@:3}"
	if [ -z "$vip" ]; then
		leave_out "$words" "its service"
	elif [[ $address == 127.* || $vip == "$address:"* ]]; then
		leave_out "$words" "the balancer as its own backend"
	elif [ "$tunnel" != ipip ]; then
		leave_out "$words" "a tunnel of type $tunnel; ipip is known"
	elif [ "$mode" != "${modes[0]:-$mode}" ]; then
		leave_out "$words" "a service has one mode, this one ${modes[0]}"
	else
		[ "$port" = "$vip_port" ] || address+=:$port
		reals+=("$address") modes+=("$mode") weights+=("$weight")
	fi
}

# " weight N" for a weight; nothing if all are the same. Ratios stay, as far as they fit.
weight_words() # WEIGHT MOST LEAST
{
	local weight=$1

	[ "$2" != "$3" ] && [ "$weight" != 0 ] || return 0
	[ "$2" -le $MAX_WEIGHT ] || weight=$(((weight * MAX_WEIGHT + $2 / 2) / $2))
	echo " weight $((weight > 0 ? weight : 1))"
}

# What is known of the service. Weight 0 is a backend that drains.
flush()
{
	local i most=0 least='' weight

	for weight in "${weights[@]}"; do
		((weight <= most)) || most=$weight
		((weight == 0 || (${least:-weight} < weight))) || least=$weight
	done
	((most <= MAX_WEIGHT)) || comment "weights to $most: scaled to $MAX_WEIGHT"
	[ -z "$name" ] || echo
	[ ${#comments[@]} = 0 ] || printf '%s\n' "${comments[@]}"
	[ -n "$vip" ] || return 0
	echo "service add $vip mode ${modes[0]:-nat}${hash:+ hash $hash}"
	for ((i = 0; i < ${#reals[@]}; i++)); do
		echo "backend add $vip ${reals[i]}$(weight_words "${weights[i]}" "$most" "$least")"
		[ "${weights[i]}" != 0 ] || echo "backend drain $vip ${reals[i]}"
	done
}

head_lines()
{
	cat <<-END
	# From ipvsadm -Sn. Not in its output: thresholds, timeouts (ipvsadm -Ln --thresholds, --timeout).
	# Mode nat (-m): a backend sees the VIP as its client, and need not have its way out by the balancer.
	END
}

read_line() # WORD...
{
	case ${1-} in
	'' | '#'*) ;;
	-A)
		flush
		service "${@:2}"
		;;
	-a) server "${@:2}" ;;
	*) wrong "$1" "-A or -a, as ipvsadm -Sn prints them" ;;
	esac
}

[ $# -le 1 ] && [[ ${1-} != -* ]] || usage "$program [FILE], or ipvsadm -Sn | $program"
[ $# = 0 ] || { [ -r "$1" ] || die "cannot read '$1'"; exec <"$1"; }
head_lines
while read -r -a words || [ ${#words[@]} -gt 0 ]; do
	line=$((line + 1))
	read_line "${words[@]}"
done
flush
