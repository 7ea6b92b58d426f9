#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# shellcheck source-path=SCRIPTDIR disable=SC1090,SC2154 # the completion sets its variables
# Neither man page nor completion lags behind: the commands of the man page, with all words, are those
# of `xdp-lb help`, and completion offers each of them; the man page's verdicts, causes of the slow path
# and findings are those of the sources. And what else completion offers, and what help says.
. "$(dirname "$(realpath "$0")")/../lib.sh"

readonly MANUAL=$top/maps/man/xdp-lb.8 COMPLETION=$top/maps/man/xdp-lb.bash

# Tags of a section of the man page, as plain text.
tags() # SECTION
{
	awk -v section="$1" '
		/^\.SH/ { inside = $0 == ".SH " section }
		inside && is_tag { sub(/^\.[BI]+ /, ""); print }
		{ is_tag = /^\.TP/ }' "$MANUAL" | sed -E 's/\\f.//g; s/\\-/-/g'
}

# Lines "object verb" or "object" and, behind a colon, all words of the command, each once.
normal_form()
{
	local line object verb

	while read -r line; do
		read -r object verb _ <<<"$line"
		[[ $verb =~ ^[a-z]+$ ]] || verb=''
		echo "$object${verb:+ $verb}: $(tr -s '[]| ' '\n' <<<"$line" | sort -u | xargs)"
	done | sort
}

# The commands of `xdp-lb help`: their words end where two blanks or the line do.
commands_of_help() # [OBJECT]
{
	"$top/xdp-lb" help "$@" | sed -n '/^  [a-z]/ { s/^  //; s/  .*//; p }'
}

same() # GOT WANTED WHAT
{
	local difference

	[ -n "$2" ] || fail "$3: nothing to compare with"
	difference=$(diff <(echo "$2") <(echo "$1")) || fail "$3:"$'\n'"$difference"
}

commands()
{
	local helped

	helped=$(commands_of_help | normal_form)
	note "$(wc -l <<<"$helped") commands"
	same "$(tags COMMANDS | normal_form)" "$helped" "commands of the man page"
}

# Completion leads to every object and verb.
completed()
{
	local line object verb objects verbs

	objects=$(commands_of_help | cut -d ' ' -f 1 | LC_ALL=C sort -u | xargs)
	offered 'xdp-lb ' "$objects"
	for object in $objects; do
		verbs=$(commands_of_help "$object" | cut -s -d ' ' -f 2 | grep -x '[a-z]*' |
			LC_ALL=C sort -u | xargs) || continue
		for verb in $verbs; do
			[[ " $(offers "xdp-lb $object ") " = *" $verb "* ]] ||
				fail "offered behind $object: $(offers "xdp-lb $object "), not $verb"
		done
	done
}

# The ways to ask for help are the same help.
helped()
{
	local all option

	all=$("$top/xdp-lb" help)
	for option in -h --help; do
		equal "$("$top/xdp-lb" $option)" "$all" "xdp-lb $option"
		equal "$("$top/xdp-lb" backend $option)" "$("$top/xdp-lb" help backend)" \
			"xdp-lb backend $option"
		equal "$("$top/xdp-lb" service add $option)" "$("$top/xdp-lb" help service)" \
			"xdp-lb service add $option"
	done
	equal "$("$top/xdp-lb" -j -n nowhere --help)" "$all" "xdp-lb -j -n nowhere --help"
	equal "$("$top/xdp-lb" --version)" "$("$top/xdp-lb" version)" "xdp-lb --version"
	equal "$("$top/xdp-lb" help backend | grep -c '^  backend ')" 7 "commands of backend"
	! "$top/xdp-lb" help nonsense 2>"$TMP/error" || fail "help on what there is not"
	grep -q "^xdp-lb: 'nonsense' is not a command" "$TMP/error" || fail "$(cat "$TMP/error")"
}

# "REASON (ACTION, ACTION)" becomes a line for each action.
split_actions()
{
	sed 's/[(),]//g' | while read -r reason actions; do
		for action in $actions; do
			echo "$action $reason"
		done
	done
}

verdicts()
{
	local line='^\tX\([A-Z_]+, ([A-Z]+), "([^"]+)"\).*'

	same "$(tags VERDICTS | split_actions | sort)" \
		"$(sed -En "s/$line/\L\1 \2/p" "$top/maps/xdp_lb.h" | sort)" \
		"verdicts of the man page"
}

causes()
{
	same "$(tags 'SLOW PATH' | tr -d , | tr ' ' '\n' | sort)" \
		"$(sed -En '/define SLOW_LIST/,/^$/ s/^\tX\([A-Z_]+, "([^"]+)"\).*/\1/p' \
			"$top/maps/xdp_lb.h" | sort)" "causes of the slow path in the man page"
}

readonly REPORT='report(_unowned\(exam, &unowned|\(exam), "[^"]*'

findings()
{
	same "$(tags DOCTOR | tr -d , | tr ' ' '\n' | sort -u)" \
		"$(cat "$top"/maps/doctor/*.c | grep -oE "$REPORT" |
			cut -d '"' -f 2 | sort -u)" "findings of doctor in the man page"
}

formatted()
{
	command -v man >/dev/null || return 0
	equal "$(LC_ALL=C.UTF-8 MANWIDTH=80 man --warnings -l "$MANUAL" 2>&1 >/dev/null)" '' \
		"warnings of man"
}

# What is offered for the last word of a line, on one line, sorted.
offers() # LINE
{
	(
		set +eu
		. "$COMPLETION"
		PATH=$top:$PATH
		COMP_LINE=$1 COMP_POINT=${#1}
		_xdp_lb
		printf '%s\n' "${COMPREPLY[@]}" | LC_ALL=C sort -u | xargs -r -d "\n"
	)
}

offered() # LINE EXPECTED
{
	equal "$(offers "$1")" "$2" "offered for '$1'"
}

words()
{
	offered 'xdp-lb ba' 'backend'
	offered 'xdp-lb -j -n lb s' 'save service source stats'
	offered 'xdp-lb -' '-d -j -n -p'
	offered 'xdp-lb backend d' 'del down drain'
	offered 'xdp-lb service add 10.0.0.10:80/tcp ' 'hash mode pick settle table via'
	offered 'xdp-lb service add 10.0.0.10:80/tcp mode dsr ' 'hash pick settle table via'
	offered 'xdp-lb service add 10.0.0.10:80/tcp mode ' 'dnat dsr ipip nat user'
	offered 'xdp-lb service add 10.0.0.10:80/tcp table ' ''
	offered 'xdp-lb timeout set ' 'fin tcp udp'
	offered 'xdp-lb limit set 10.0.0.10:80/tcp pps 5 ' 'burst conns flows per-source'
	offered 'xdp-lb help ser' 'service'
	offered 'xdp-lb apply file ' 'dry-run empty'
	offered 'xdp-lb apply file other empty ' 'dry-run'
	offered 'xdp-lb no-such ' ''
}

# What runs. Bash replaces what is behind the last colon.
running()
{
	local lb="$top/xdp-lb -n ${prefix}lb"

	offered "$lb service show 10" '10.0.0.10:8000/tcp 10.0.0.10:\*/udp'
	offered "$lb service show 10.0.0.10:8" '8000/tcp'
	offered "$lb service show " '10.0.0.10:8000/tcp 10.0.0.10:\*/udp \[fd00:10::10\]:53/udp'
	offered "$lb service del \\[fd00:10" '10::10\]:53/udp'
	offered "$lb service add 10" ''
	offered "$lb backend drain 10.0.0.10:8000/tcp " '10.0.0.2 10.0.0.3:81'
	offered "$lb flow flush [fd00:10::10]:53/udp " '\[fd00:10::3\]:54 fd00:10::2'
	offered "$lb stats " \
		'10.0.0.10:8000/tcp 10.0.0.10:\*/udp \[fd00:10::10\]:53/udp interval zero'
	offered "$lb doctor ve" 'veth6'
	offered "$top/xdp-lb -n ${prefix}l" "${prefix}lb"
}

commands
completed
helped
verdicts
causes
findings
formatted
words

lab_up
attach
lb service add 10.0.0.10:8000/tcp
lb service add '10.0.0.10:*/udp'
lb service add '[fd00:10::10]:53/udp'
lb backend add 10.0.0.10:8000/tcp 10.0.0.2
lb backend add 10.0.0.10:8000/tcp 10.0.0.3:81
lb backend add '[fd00:10::10]:53/udp' fd00:10::2
lb backend add '[fd00:10::10]:53/udp' '[fd00:10::3]:54'
running
