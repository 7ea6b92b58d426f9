// SPDX-License-Identifier: GPL-2.0
/*
 * VLAN tags for a lab whose kernel need not know VLANs: classifiers for tc that put one tag (VLAN
 * 10), or two (VLAN 30 in VLAN 20), on each frame that has none, and that take them off.
 */
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/pkt_cls.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

SEC("push1")
int push_one(struct __sk_buff *skb)
{
	if (!skb->vlan_present)
		bpf_skb_vlan_push(skb, bpf_htons(ETH_P_8021Q), 10);
	return TC_ACT_OK;
}

SEC("pop1")
int pop_one(struct __sk_buff *skb)
{
	bpf_skb_vlan_pop(skb);
	return TC_ACT_OK;
}

SEC("push2")
int push_two(struct __sk_buff *skb)
{
	if (skb->vlan_present)
		return TC_ACT_OK;
	bpf_skb_vlan_push(skb, bpf_htons(ETH_P_8021Q), 30);
	bpf_skb_vlan_push(skb, bpf_htons(ETH_P_8021AD), 20);
	return TC_ACT_OK;
}

SEC("pop2")
int pop_two(struct __sk_buff *skb)
{
	bpf_skb_vlan_pop(skb);
	bpf_skb_vlan_pop(skb);
	return TC_ACT_OK;
}

char _license[] SEC("license") = "GPL";
