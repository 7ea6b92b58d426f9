#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# settings.sh [NETNS]: gives a namespace of the lab (without NETNS ours) what the lab relies on. A new
# namespace has IPv4's settings from the machine's first one, where container engines switch on
# forwarding, distributions switch on filters, and administrators do what they like.
set -euo pipefail
. "$(dirname "$(realpath "$0")")/lib.sh"

# The kernel's defaults, except: no redirects, no addresses but those that are given, and none waits
# for duplicate address detection. ip_forward comes first, as it changes others.
in_netns "${1-}" sysctl -qw net.ipv4.ip_forward=0 \
	net.ipv4.conf.{all,default}.{rp_filter,src_valid_mark,accept_local,route_localnet}=0 \
	net.ipv4.conf.{all,default}.{arp_ignore,arp_announce,arp_filter,arp_accept,arp_notify}=0 \
	net.ipv4.conf.{all,default}.{proxy_arp,drop_gratuitous_arp,promote_secondaries}=0 \
	net.ipv4.conf.{all,default}.{accept_redirects,send_redirects,log_martians}=0 \
	net.ipv6.conf.{all,default}.{disable_ipv6,forwarding,accept_ra,autoconf,use_tempaddr}=0 \
	net.ipv6.conf.{all,default}.{accept_dad,accept_redirects,proxy_ndp}=0 \
	net.ipv6.conf.{all,default}.hop_limit=64
# Where there is br_netfilter, each frame on a bridge would go through the host's firewall.
in_netns "${1-}" sysctl -qew net.bridge.bridge-nf-call-{ip,ip6,arp}tables=0
