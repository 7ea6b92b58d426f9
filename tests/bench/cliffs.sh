#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# cliffs.sh [quick]: what features cost a packet, see cliff.sh. Several loads (passes): the median of
# their differences counts.
set -euo pipefail
here=$(dirname "$(realpath "$0")")
passes=3
[ "${1-}" != quick ] || passes=1

for ((pass = 1; pass <= passes; pass++)); do
	setpriv --pdeathsig KILL "$here/cliff.sh" $pass
done | jq -cs -f "$here/cliffs.jq"
