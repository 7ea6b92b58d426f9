# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# Completion of xdp-lb(8) for bash. It needs neither bash-completion nor jq.

# The functions below share the variables of _xdp_lb: `words` are all before the current one, the
# program and its options cut off and kept in `run`; `args` those behind the verb; `found` is what
# may come.

# The commands, a line each: what `xdp-lb help` says. [keyword VALUE] may come in any order behind the
# rest.
_xdp_lb_commands()
{
	"${run[@]}" help 2>/dev/null | sed -n '/^  [a-z]/ { s/^  //; s/  .*//; p }'
}

# The running configuration; nothing if there is no balancer, or it may not be read.
_xdp_lb_show() # [VIP]
{
	timeout 2 "${run[@]}" -j service show "$@" 2>/dev/null
}

_xdp_lb_vips()
{
	_xdp_lb_show | grep -o '"vip":"[^"]*"' | cut -d '"' -f 4
}

_xdp_lb_reals() # VIP
{
	_xdp_lb_show "$1" | grep -o '"address":"[^"]*","port":[0-9]*' | sed '
		s/"address":"\(.*\)","port":/\1 /
		s/ 0$//
		s/^\([^ ]*:[^ ]*\) /[\1]:/
		s/ /:/'
}

_xdp_lb_sources()
{
	timeout 2 "${run[@]}" -j source show 2>/dev/null |
		grep -o '"address":"[^"]*","state":"up"' | cut -d '"' -f 4
}

_xdp_lb_devices()
{
	ip ${netns:+-n "$netns"} -o link show 2>/dev/null | cut -d ' ' -f 2 | sed 's/[@:].*//'
}

_xdp_lb_offer() # WORD...
{
	found+=("$@")
}

_xdp_lb_offer_lines() # COMMAND...
{
	local line

	while IFS= read -r line; do
		found+=("$line")
	done < <("$@")
}

# What may stand for a word of the command.
_xdp_lb_offer_value() # WORD
{
	case $command-${1%...} in
	*-FILE) compopt -o default 2>/dev/null ;;
	*-OBJECT) _xdp_lb_offer_lines cut -d ' ' -f 1 < <(_xdp_lb_commands) ;;
	*-DEV) _xdp_lb_offer_lines _xdp_lb_devices ;;
	'service add-VIP' | 'backend add-REAL' | 'source add-ADDR') ;;
	*-ADDR) _xdp_lb_offer_lines _xdp_lb_sources ;;
	*-VIP) _xdp_lb_offer_lines _xdp_lb_vips ;;
	*-REAL) _xdp_lb_offer_lines _xdp_lb_reals "${args[0]}" ;;
	*-[a-z]*) _xdp_lb_offer_lines tr '|' '\n' <<<"$1" ;;
	esac
}

# What may come behind `args` in a command: its words in their places, one with dots again and again,
# then keywords with values.
_xdp_lb_offer_next() # WORD...
{
	local -a places=() optional=()
	local -A keywords=()
	local word arg place=0 wanted='' repeated=''

	while [ $# -gt 0 ]; do
		word=${1//[][]/}
		if [[ $1 == \[[a-z]*\] ]]; then
			keywords[$word]=none
		elif [[ $1 == \[[a-z-]* ]]; then
			keywords[$word]=${2//]/}
			shift
		else
			places+=("$word")
			[[ $word != *... ]] || repeated=$word
			[[ $1 == \[* ]] && optional+=(yes) || optional+=('')
		fi
		shift
	done
	for arg in "${args[@]}"; do
		if [ -n "$wanted" ]; then
			wanted=''
		elif [ -n "${keywords[$arg]-}" ]; then
			[ "${keywords[$arg]}" = none ] || wanted=${keywords[$arg]}
			unset "keywords[$arg]"
			place=${#places[@]} repeated=''
		else
			place=$((place + 1))
		fi
	done
	if [ -n "$wanted" ]; then
		_xdp_lb_offer_value "$wanted"
		return
	fi
	if [ "$place" -lt ${#places[@]} ]; then
		_xdp_lb_offer_value "${places[place]}"
	elif [ -n "$repeated" ]; then
		_xdp_lb_offer_value "$repeated"
	fi
	[ "$place" -lt ${#places[@]} ] && [ -z "${optional[place]}" ] ||
		_xdp_lb_offer "${!keywords[@]}"
}

# What may come in the place of the current word.
_xdp_lb_offer_words()
{
	local line has_verb command
	local -a part args

	while IFS= read -r line; do
		read -r -a part <<<"$line"
		[[ ${part[1]-} =~ ^[a-z]+$ ]] && has_verb=yes || has_verb=''
		if [ ${#words[@]} = 0 ]; then
			_xdp_lb_offer "${part[0]}"
		elif [ "${words[0]}" != "${part[0]}" ]; then
			continue
		elif [ -z "$has_verb" ]; then
			command=${part[0]} args=("${words[@]:1}")
			_xdp_lb_offer_next "${part[@]:1}"
		elif [ ${#words[@]} = 1 ]; then
			_xdp_lb_offer "${part[1]}"
		elif [ "${words[1]}" = "${part[1]}" ]; then
			command="${part[0]} ${part[1]}" args=("${words[@]:2}")
			_xdp_lb_offer_next "${part[@]:2}"
			return
		fi
	done < <(_xdp_lb_commands)
}

# Moves the program and its options from `words` to `run`. `option` is the last one if the current
# word is its argument.
_xdp_lb_take_options()
{
	run=("${words[0]/#\~/$HOME}")
	words=("${words[@]:1}")
	option=''
	while [[ ${words[0]-} == -* ]]; do
		run+=("${words[0]}")
		if [[ ${words[0]} =~ ^-j*([ndp])(.*)$ ]]; then
			[ ${#words[@]} -gt 1 ] || [ -n "${BASH_REMATCH[2]}" ] ||
				option=${BASH_REMATCH[1]}
			if [ -z "${BASH_REMATCH[2]}" ]; then
				words=("${words[@]:1}")
				[ ${#words[@]} = 0 ] || run+=("${words[0]}")
			fi
			[ "${BASH_REMATCH[1]}" != n ] || netns=${BASH_REMATCH[2]:-${words[0]-}}
		fi
		words=("${words[@]:1}")
	done
}

# bash cuts words at colons, which ours have: so the line is cut here, at blanks, and of what is
# found the part before the last colon is left out.
_xdp_lb()
{
	local line=${COMP_LINE:0:COMP_POINT} raw current option netns='' word rest
	local -a words run found=()

	COMPREPLY=()
	raw=${line##*[[:blank:]]}
	# Without -r: backslashes quote. Other quotes are not part of our words.
	# shellcheck disable=SC2162
	read -a words <<<"${line%"$raw"}"
	words=("${words[@]//[\"\']/}")
	current=${raw//[\\\"\']/}
	_xdp_lb_take_options
	case $option-$current in
	n-*) _xdp_lb_offer_lines ls /run/netns ;;
	d-*) _xdp_lb_offer_lines _xdp_lb_devices ;;
	p-*) compopt -o default 2>/dev/null ;;
	--*) [ ${#words[@]} -gt 0 ] || _xdp_lb_offer -j -n -d -p ;;
	*) _xdp_lb_offer_words ;;
	esac
	for word in "${found[@]}"; do
		[[ $word == "$current"* ]] || continue
		rest=$word
		[[ $current != *:* || $COMP_WORDBREAKS != *:* ]] || rest=${word#"${current%:*}:"}
		[[ $raw == [\"\']* ]] ||
			rest=${rest//\*/\\*} rest=${rest//[/\\[} rest=${rest//]/\\]}
		COMPREPLY+=("$rest")
	done
}

complete -F _xdp_lb xdp-lb
