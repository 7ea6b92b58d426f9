// SPDX-License-Identifier: GPL-2.0
/* See setup.h. */
#include <arpa/inet.h>
#include <linux/bpf.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "bench.h"
#include "kernel.h"
#include "setup.h"

static struct address make_address(int ipv6, uint32_t prefix, uint32_t last)
{
	struct address address = { .word = { 0, 0, htonl(0xffff), htonl(last) } };

	if (ipv6) {
		address.word[0] = htonl(prefix);
		address.word[2] = 0;
	}
	return address;
}

static void make_backends(int program, const struct setup *setup)
{
	size_t size = sizeof(struct backend) * (MAX_BACKENDS + 1);
	struct backend *backend = map_memory(open_map_of(program, "xlb_backends"), size);

	for (uint32_t i = 1; i <= setup->services * setup->backends; i++) {
		backend[i].address = make_address(setup->ipv6, BENCH_BACKEND_PREFIX,
						  BACKEND_BASE + i);
		backend[i].generation = 1;
		backend[i].service = 1 + (i - 1) / setup->backends;
		backend[i].mtu[0] = 1500;
		memcpy(backend[i].hop[0].mac, (uint8_t[6]){ 2, 0, 0, 1, i >> 8, i }, 6);
		memcpy(backend[i].hop[0].own_mac, "\xde\xad\xbe\xef\x00\x10", 6);
		backend[i].hop[0].ifindex = setup->ifindex;
	}
}

static int make_table(uint32_t service, const struct setup *setup)
{
	int map = create_array(sizeof(struct slot), DEFAULT_SLOTS,
			       BPF_F_MMAPABLE | BPF_F_INNER_MAP);
	struct slot *slots = map_memory(map, sizeof(struct slot) * DEFAULT_SLOTS);

	for (uint32_t i = 0; i < DEFAULT_SLOTS; i++)
		slots[i].owner = 1 + (service - 1) * setup->backends +
				 (i * 2654435761U >> 8) % setup->backends;
	munmap(slots, sizeof(struct slot) * DEFAULT_SLOTS);
	return map;
}

static void make_service(int program, uint32_t number, const struct setup *setup)
{
	struct vip vip = { .number = 1 + (number - 1) / BENCH_PORTS,
			   .flags = setup->mode == MODE_NAT ? 0 : VIP_STATELESS };
	struct address address = make_address(setup->ipv6, BENCH_VIP_PREFIX,
					      VIP_BASE + vip.number - 1);
	struct service_key key = { .vip = vip.number,
				   .protocol = setup->protocol,
				   .port = htons(PORT_BASE + (number - 1) % BENCH_PORTS) };
	struct service service = {
		.number = number, .table = number, .slots = DEFAULT_SLOTS, .mode = setup->mode
	};
	int table = make_table(number, setup);

	map_update(open_map_of(program, "xlb_vips"), &address, &vip);
	map_update(open_map_of(program, "xlb_tables"), &number, &table);
	map_update(open_map_of(program, "xlb_services"), &key, &service);
	close(table);
}

/* As the helper leaves it: what a CPU has looked up it may keep. */
static void allow_caching(int program)
{
	struct config *config = map_memory(open_map_of(program, "xlb_config"), sizeof(*config));

	config->generation = 1;
}

void make_setup(int program, const struct setup *setup)
{
	make_backends(program, setup);
	for (uint32_t i = 1; i <= setup->services; i++)
		make_service(program, i, setup);
	allow_caching(program);
}
