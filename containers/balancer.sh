#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# balancer.sh [WORD]...: what a container of the balancer runs. Attaches it to DEV (eth0), in MODE if
# that is set; or leaves it there if it is attached already. Applies CONFIG (/etc/xdp-lb.conf) if there
# is such a file. Then ends, or goes on as `xdp-lb WORD...`: `watch`, for instance.
set -euo pipefail
# shellcheck source=../scripts/lib.sh
. "$(dirname "$(realpath "$0")")/lib.sh"

dev=${DEV:-eth0} config=${CONFIG:-/etc/xdp-lb.conf}

need_root
need_device '' "$dev"
helper=$(find_built xdp-lb)
"$helper" -d "$dev" service show >/dev/null 2>&1 || "$here/attach.sh" ${MODE:+-m "$MODE"} "$dev" >&2
[ ! -e "$config" ] || cmd "$helper" -d "$dev" apply "$config" >&2
[ $# = 0 ] || exec "$helper" -d "$dev" "$@"
