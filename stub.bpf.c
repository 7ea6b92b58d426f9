// SPDX-License-Identifier: GPL-2.0
/*
 * Passes every packet. A veth hands on what its peer transmits by XDP_TX or a redirect only if
 * there is an XDP program on it (drivers/net/veth.c, veth_xdp_xmit): this is the smallest one. That
 * of section xdp.frags is for a large MTU.
 */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

SEC("xdp")
int xdp_stub(struct xdp_md *ctx)
{
	return XDP_PASS;
}

SEC("xdp.frags")
int xdp_stub_frags(struct xdp_md *ctx)
{
	return XDP_PASS;
}

char _license[] SEC("license") = "GPL";
