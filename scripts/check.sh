#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# check.sh: static checks of the whole tree. Says what failed, at the end how many.
set -u
cd "$(dirname "$(realpath "$0")")/.." || exit

JOBS=$(nproc)
INCLUDES=(-I. -Imaps -Itests/packet -idirafter "/usr/include/$(gcc -dumpmachine)")
WARN=(-std=gnu11 -O2 -fsyntax-only -Werror -Wall -Wextra -Wshadow -Wstrict-prototypes
	-Wmissing-prototypes -Wold-style-definition -Wvla -Wundef
	-Wformat=2 -Wno-format-nonliteral -Wno-gnu-variable-sized-type-not-at-end)
failures=0

# Runs a command, quietly if it succeeds.
check() # NAME COMMAND...
{
	local name=$1 output

	shift
	if output=$("$@" 2>&1); then
		echo "ok    $name"
	else
		echo "FAIL  $name"
		head -n 60 <<<"$output"
		failures=$((failures + 1))
	fi
}

# The tree's files, committed or to be.
files() # PATTERN...
{
	git ls-files -co --exclude-standard -- "$@" | while IFS= read -r file; do
		[ ! -f "$file" ] || echo "$file"
	done
}

each() # COMMAND..., with one file of standard input behind it
{
	xargs -r -n 1 -P "$JOBS" "$@"
}

# C for this machine; tests/fuzz compiles BPF's dialect for it, with headers and flags of its own.
host_sources()
{
	files 'maps/*.c' 'scripts/*.c' 'tests/*.c' | grep -v -e '\.bpf\.c$' -e ^tests/fuzz/
}

# What is not text, or cannot hold a comment.
git rev-parse --git-dir >/dev/null || exit # what is to be checked, git knows
NO_SPDX='^(LICENSE|debian/(changelog|copyright|source/format))$'
NO_SPDX+='|/corpus/|/results/|/cases/.*\.(hex|pcap|conf)$|\.(json|svg|png)$'
readonly NO_SPDX

text_files()
{
	files | grep -Ev "$NO_SPDX"
}

spdx_lines()
{
	text_files | while IFS= read -r file; do
		head -n 2 "$file" | grep -q "SPDX-License-Identifier: GPL-2.0" ||
			echo "$file has no SPDX line"
	done | fail_if_any
}

fail_if_any()
{
	! grep .
}

shell_scripts()
{
	text_files | while IFS= read -r file; do
		head -n 2 "$file" | grep -qE '^#!/bin/(ba)?sh|^# shellcheck shell' && echo "$file"
	done
}

bad_lines()
{
	# shellcheck disable=SC2016 # awk's
	text_files | xargs grep -nIE '[[:blank:]]+$|[T]ODO|[F]IXME|[X]XX' |
		fail_if_any &&
		files '*.[ch]' '*.sh' Makefile tests/run | xargs awk '{
			width = 0
			for (i = 1; i <= length($0); i++)
				width += substr($0, i, 1) == "\t" ? 8 - width % 8 : 1
			if (width > (FILENAME ~ /^(tests|scripts|containers)/ ? 110 : 100))
				print FILENAME ":" FNR ": " width " columns"
		}' | fail_if_any
}

# grep -q ends at the first match: who still writes to it dies of SIGPIPE, and with pipefail the
# match is none, once in a while.
shell_check()
{
	# shellcheck disable=SC2016 # awk's dollars
	shell_scripts | each shellcheck &&
		shell_scripts | grep -v '^scripts/check\.sh$' | xargs awk '
			FNR == 1 { is_piped = 0 }
			(is_piped && /^[ \t]*grep -[a-zA-Z]*q/) || /[^|]\| *grep -[a-zA-Z]*q/ {
				print FILENAME ":" FNR ": " $0
			}
			{ is_piped = /[^|]\|[ \t]*\\?$/ }' | fail_if_any
}

clang_format()
{
	files '*.[ch]' | each clang-format --dry-run -Werror
}

warnings() # COMPILER
{
	host_sources | each "$1" "${WARN[@]}" "${INCLUDES[@]}"
}

cpp_check()
{
	host_sources | xargs cppcheck -q -j "$JOBS" --std=c11 -I. -Imaps --inline-suppr \
		--enable=warning,performance,portability --suppress=missingIncludeSystem \
		--suppress=invalidPrintfArgType_uint --suppress=compareBoolExpressionWithInt \
		--suppress=syntaxError:tests/packet/test_decap.c \
		--error-exitcode=1
}

# What passed is not looked at again, until a word of it changes.
clang_tidy()
{
	mkdir -p build/tidy
	# shellcheck disable=SC2016 # the inner shell's
	files "maps/*.c" | each sh -c '
		sum=$(cat .clang-tidy - <<END | sha256sum
$(gcc -E -C -std=gnu11 -I. -Imaps "$0")
END
		)
		passed=build/tidy/${sum%% *}
		[ -e "$passed" ] ||
			{ clang-tidy --quiet "$0" -- -std=gnu11 -I. -Imaps 2>/dev/null && : >"$passed"; }'
}

man_page()
{
	LC_ALL=C.UTF-8 MANWIDTH=80 man --warnings -l maps/man/xdp-lb.8 2>&1 >/dev/null | fail_if_any
}

check 'SPDX line in every file' spdx_lines
check 'structure of maps' scripts/structure.sh
check 'no trailing blanks, unfinished work, long lines' bad_lines
check shellcheck shell_check
check clang-format clang_format
check 'gcc warnings' warnings gcc
check 'clang warnings' warnings clang
check cppcheck cpp_check
check clang-tidy clang_tidy
check 'man page' man_page
[ "$failures" = 0 ] || echo "$failures checks failed"
[ "$failures" = 0 ]
