#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# README's recipe, as printed: `ip` and `bpftool` alone set up a service that works.
#
#    h1 curl ---> lb 10.0.0.10:8000 ---> h2, h3 nginx
# The lab of README has no prefix.
LAB=''
. "$(dirname "$(realpath "$0")")/../lib.sh"

recipe()
{
	sed -n '/^<!-- recipe/,/^```$/p' "$top/README.md" | sed '/^<!--/d; /^```/d'
}

as_helper_does()
{
	local text

	text=$(lb service show)
	for word in 10.0.0.10:8000/tcp 10.0.0.2 10.0.0.3 de:ad:be:ef:00:02 de:ad:be:ef:00:03; do
		grep -qF "$word" <<<"$text" || fail "no $word in service show: $text"
	done
}

lab_up
recipe >"$TMP/recipe.sh"
grep -q xlb_services "$TMP/recipe.sh" || fail "no recipe in README.md"
cd "$top"
bash -eu "$TMP/recipe.sh"
start_web
use_family 4
shares=$(ask 100)
within "$(count_of h2 "$shares")" 25 75 "of 100 requests, h2 answered"
within "$(count_of h3 "$shares")" 25 75 "of 100 requests, h3 answered"
expect_no_errors
as_helper_does
