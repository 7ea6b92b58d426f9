#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# The least path MTU is saved, applied, shown and brought back; what it does to packets is in
# packet/test_icmp.
. "$(dirname "$(realpath "$0")")/../lib.sh"

lab_up
attach
use_family 4
service_up 8000/tcp
equal "$(lb limit show)" '' 'limits at first'
equal "$(lb save | grep -c pmtu)" 0 'lines about the default'
lb limit pmtu 1400
equal "$(lb limit show)" 'pmtu 1400' 'limits'
equal "$(lb -j limit show | jq '.[].pmtu')" 1400 'limits, JSON'
lb save >"$TMP/saved"
grep -qx 'limit pmtu 1400' "$TMP/saved" || fail 'not saved'
equal "$(lb apply "$TMP/saved")" '' 'changes by what was saved'
sed -i s/1400/900/ "$TMP/saved"
equal "$(lb apply "$TMP/saved" dry-run)" 'limit pmtu 900' 'what would change'
equal "$(lb limit show)" 'pmtu 1400' 'after a dry run'
lb apply "$TMP/saved"
equal "$(lb limit show)" 'pmtu 900' 'after apply'
sed -i /pmtu/d "$TMP/saved"
equal "$(lb apply "$TMP/saved")" 'limit pmtu 1280' 'back to the default'
lb limit pmtu 576
lb limit pmtu 1280
equal "$(lb limit show)" '' 'limits at last'
