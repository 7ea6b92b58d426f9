/* SPDX-License-Identifier: GPL-2.0 */
/* What a frame says of itself, read by code that shares nothing with the data path. */
#ifndef FUZZ_FRAME_H
#define FUZZ_FRAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MIN_FRAME 14

struct view {
	int family; /* 4 or 6; 0: no IP packet whose headers are all there */
	size_t l3; /* IP header */
	size_t l4; /* what comes after IP header and extension headers */
	size_t end; /* of the packet by its IP header; not beyond the frame, else family is 0 */
	int protocol; /* of l4 */
	bool fragment; /* first or later */
	bool later;
	bool mapped; /* IPv6 with an address that stands for IPv4 */
};

enum sum_state {
	SUM_NONE, /* there is none, or it cannot be told */
	SUM_RIGHT,
	SUM_WRONG,
};

uint16_t get16(const uint8_t *at);
void put16(uint8_t *at, uint16_t value);

/* Length of Ethernet header and tags, 0 if they are not all there; and the last EtherType. */
size_t l2_length(const uint8_t *frame, size_t length, int *type);

/* Reads the frame, or an IP packet of a family at l3 in it, to its end or that of the frame. */
struct view view_frame(const uint8_t *frame, size_t length);
struct view view_packet(const uint8_t *frame, size_t length, size_t l3, int family);

const uint8_t *source_of(const uint8_t *frame, const struct view *view);
const uint8_t *destination_of(const uint8_t *frame, const struct view *view);
size_t address_length(const struct view *view);
bool is_transport(const struct view *view); /* TCP or UDP whose ports are there */
bool is_icmp_error(const uint8_t *frame, const struct view *view);

bool ip_sum_right(const uint8_t *frame, const struct view *view);
enum sum_state transport_sum(const uint8_t *frame, const struct view *view);

/* Where the checksum of TCP, UDP or ICMP is, or 0 if the packet ends before. */
size_t sum_place(const struct view *view);

/* Makes all checksums right, and those of a quoted packet's IPv4 header. */
void repair(uint8_t *frame, size_t length);

#endif
