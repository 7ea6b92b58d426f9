// SPDX-License-Identifier: GPL-2.0
/*
 * The hash that finds flows, by its secret factors: flows that meet in one bucket under one secret
 * spread under another, whatever structure their addresses and ports have. Nobody who chooses them
 * fills the bucket of a victim.
 */
#include <arpa/inet.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "xdp_lb.h"

#define SECRETS 1000 /* so many find a hash that one secret of a hundred makes uneven */
#define SET 65536
#define PORT_HTTP 80

struct sender {
	__u64 peer[2];
	__u32 ports;
};

static struct sender sources[SET];
static struct config config;
static __u64 state = 88172645463325252ULL;

static __u64 next_random(void)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return state * 0x2545F4914F6CDD1DULL;
}

static void draw(void)
{
	for (int i = 0; i < HASH_FACTORS; i++)
		config.secret[i] = next_random() | 1;
}

static __u32 ports_of(__u16 source, __u16 destination)
{
	return htons(source) | (__u32)htons(destination) << 16;
}

static __u32 hash_of(const struct sender *source)
{
	return flow_hash(&config, source->peer, source->ports);
}

static __u32 bucket_of(const struct sender *source)
{
	return hash_of(source) >> FLOW_WAY_BITS & (FLOW_BUCKETS - 1);
}

static __u64 prefix(void)
{
	static const __u8 bytes[8] = { 0x20, 0x01, 0x0d, 0xb8, 0, 1, 0, 2 };
	__u64 word;

	memcpy(&word, bytes, sizeof(word));
	return word;
}

static __u64 inverse_of(__u64 factor)
{
	__u64 inverse = factor;

	for (int bits = 3; bits < 64; bits *= 2)
		inverse *= 2 - factor * inverse;
	return inverse;
}

/* The most of `count` sources that share a bucket. */
static int fullest_bucket(int count)
{
	static __u16 load[FLOW_BUCKETS];
	int most = 0;

	memset(load, 0, sizeof(load));
	for (int i = 0; i < count; i++) {
		__u16 now = ++load[bucket_of(&sources[i])];

		most = now > most ? now : most;
	}
	return most;
}

/* How many of `count` sources have all 32 bits of the first one's hash. */
static int same_hash(int count)
{
	int same = 0;

	for (int i = 1; i < count; i++)
		same += hash_of(&sources[i]) == hash_of(&sources[0]);
	return same;
}

/* Under a secret that the sender knew: interface identifiers by which all have one hash. */
static void craft(int count)
{
	__u64 first = mix_word(prefix(), config.secret[0]);
	__u64 wanted = mix_word(first + 1, config.secret[1]) + ports_of(1024, PORT_HTTP);

	for (int i = 0; i < count; i++) {
		__u64 second = wanted - ports_of(1024 + i % 64512, PORT_HTTP);

		second = (second ^ second >> 32) * inverse_of(config.secret[1]) - first;
		sources[i] = (struct sender){ { prefix(), second },
					      ports_of(1024 + i % 64512, PORT_HTTP) };
	}
}

static void test_crafted(int count, const char *name)
{
	int most = 0;

	draw();
	craft(count);
	check("hash: a sender that knows the secret", same_hash(count) == count - 1,
	      "%d of %d have the first one's hash", same_hash(count), count);
	for (int i = 0; i < SECRETS; i++) {
		int fullest;

		draw();
		fullest = fullest_bucket(count);
		most = fullest > most ? fullest : most;
	}
	check(name, most <= (count > 1000 ? 14 : 4), "%d of %d in one bucket", most, count);
}

/*
 * With 65,536 at random over as many buckets the fullest has 7 to 9; 12 in one of 20,000 sets, 15 in
 * one of 50 million.
 */
static void test_structure(const char *name, void (*fill)(int i, struct sender *source))
{
	int most = 0;

	for (int i = 0; i < SET; i++) {
		memset(&sources[i], 0, sizeof(sources[i]));
		fill(i, &sources[i]);
	}
	for (int i = 0; i < SECRETS; i++) {
		int fullest;

		draw();
		fullest = fullest_bucket(SET);
		most = fullest > most ? fullest : most;
	}
	check(name, most <= 14, "%d of %d in one bucket", most, SET);
}

static void set_ipv4(struct sender *source, __u32 address, __u16 port)
{
	source->peer[1] = (__u64)htonl(address) << 32 | htonl(0xffff);
	source->ports = ports_of(port, PORT_HTTP);
}

static void one_client(int i, struct sender *source)
{
	set_ipv4(source, 0x0a000001, i);
}

static void many_clients(int i, struct sender *source)
{
	set_ipv4(source, 0x0a000000 + i, 40000);
}

static void far_clients(int i, struct sender *source)
{
	set_ipv4(source, (__u32)i << 16 | 1, 40000);
}

static void answers(int i, struct sender *source)
{
	set_ipv4(source, 0x0a000002, PORT_HTTP);
	source->ports = ports_of(PORT_HTTP, i);
}

static void counting_identifiers(int i, struct sender *source)
{
	source->peer[0] = prefix();
	source->peer[1] = (__u64)htonl(i) << 32;
	source->ports = ports_of(40000, PORT_HTTP);
}

static void shifted_identifiers(int i, struct sender *source)
{
	source->peer[0] = prefix();
	source->peer[1] = (__u64)i << 48;
	source->ports = ports_of(40000, PORT_HTTP);
}

/* The last byte of a prefix, and of an identifier: the bits that a product carries nowhere. */
static void top_bits(int i, struct sender *source)
{
	source->peer[0] = prefix() ^ (__u64)(i & 0xff) << 56;
	source->peer[1] = (__u64)(i >> 8) << 56;
	source->ports = ports_of(40000, PORT_HTTP);
}

/* Of a sender that takes the sum of words for the hash: differences that make up for each other. */
static void balanced_words(int i, struct sender *source)
{
	source->peer[0] = prefix() + i;
	source->peer[1] = -(__u64)i;
	source->ports = ports_of(40000, PORT_HTTP);
}

static void identifiers_and_ports(int i, struct sender *source)
{
	source->peer[0] = prefix();
	source->peer[1] = -(__u64)ports_of(i, PORT_HTTP);
	source->ports = ports_of(i, PORT_HTTP);
}

int main(void)
{
	test_crafted(16, "hash: 16 crafted flows spread under another secret");
	test_crafted(64512, "hash: 64,512 pairs of one /64 spread under another secret");
	test_structure("hash: ports of one client", one_client);
	test_structure("hash: clients of one network", many_clients);
	test_structure("hash: clients of many networks", far_clients);
	test_structure("hash: answers of one backend", answers);
	test_structure("hash: counted interface identifiers", counting_identifiers);
	test_structure("hash: shifted interface identifiers", shifted_identifiers);
	test_structure("hash: topmost bits of both halves", top_bits);
	test_structure("hash: halves that balance each other", balanced_words);
	test_structure("hash: identifiers that balance ports", identifiers_and_ports);
	return failures != 0;
}
