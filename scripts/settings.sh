#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# settings.sh [NETNS]: gives a namespace of the lab (without NETNS ours) what the lab relies on. A new
# namespace has IPv4's settings from the machine's first one, where container engines switch on
# forwarding, distributions switch on filters, and administrators do what they like.
set -euo pipefail
. "$(dirname "$(realpath "$0")")/lib.sh"

# `default` is for devices to come. Some are there already: lo, and those that tunnel modules make.
conf="all default $(in_netns "${1-}" ip -br link show | sed 's/[@ ].*//; s/\./\//g')"

# The settings of one family: NAME=VALUE for each device.
each_device() # FAMILY SETTING...
{
	local family=$1 device setting

	shift
	for device in $conf; do
		for setting in "$@"; do
			echo "net.$family.conf.$device.$setting"
		done
	done
}

# The kernel's defaults, except: no redirects, no addresses but those that are given, and none waits
# for duplicate address detection. ip_forward comes first, as it changes others.
readarray -t settings < <(
	echo net.ipv4.ip_forward=0
	each_device ipv4 {rp_filter,src_valid_mark,accept_local,route_localnet}=0 \
		{arp_ignore,arp_announce,arp_filter,arp_accept,arp_notify}=0 \
		{proxy_arp,drop_gratuitous_arp,promote_secondaries}=0 \
		{accept_redirects,send_redirects,log_martians}=0
	each_device ipv6 {disable_ipv6,forwarding,accept_ra,autoconf,use_tempaddr}=0 \
		{accept_dad,accept_redirects,proxy_ndp}=0 hop_limit=64
)
# -e: a device may be without IPv6.
in_netns "${1-}" sysctl -qew "${settings[@]}"
# Where there is br_netfilter, each frame on a bridge would go through the host's firewall.
in_netns "${1-}" sysctl -qew net.bridge.bridge-nf-call-{ip,ip6,arp}tables=0
