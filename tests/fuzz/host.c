// SPDX-License-Identifier: GPL-2.0
/* tests/packet/kernel.h with the host in the place of the kernel. */
#include <sanitizer/asan_interface.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "kernel.h"
#include "standin.h"

#define BUFFER_SIZE 32768

char object_path[4096];

static struct standin_map tables[TEST_TABLES + 1];

void broken(const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	vprintf(format, arguments);
	printf("\n");
	va_end(arguments);
	abort();
}

static void make_tables(void)
{
	for (uint32_t i = 1; i <= TEST_TABLES; i++) {
		void *inner = &tables[i];

		tables[i] = (struct standin_map){
			.definition = inner,
			.kind = KIND_ARRAY,
			.key_size = sizeof(uint32_t),
			.value_size = sizeof(struct slots),
			.entries = MAX_TEST_WORDS,
		};
		standin_make(&tables[i]);
		map_update(MAP_TABLES, &i, &inner);
	}
}

/* The buffer is below 4 GB: the addresses in struct xdp_md have 32 bits. */
void open_kernel(int argc, char **argv)
{
	(void)argc;
	(void)argv;
	standin_register();
	make_tables();
	standin_frame.size = BUFFER_SIZE;
	standin_frame.buffer = mmap(NULL, BUFFER_SIZE, PROT_READ | PROT_WRITE,
				    MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);
	if (standin_frame.buffer == MAP_FAILED)
		broken("no memory below 4 GB");
}

/* The sanitizer is told of all that is not headroom or frame. */
int run_program(struct run *run)
{
	struct standin_frame *frame = &standin_frame;
	uint8_t *start = frame->buffer + MAX_HEADROOM;
	int action;

	memcpy(start, run->in, run->length);
	frame->meta = (uint32_t)(uintptr_t)start;
	frame->data = frame->meta + run->room;
	frame->end = frame->meta + run->length;
	frame->ingress = run->ingress;
	ASAN_POISON_MEMORY_REGION(start + run->length, BUFFER_SIZE - MAX_HEADROOM - run->length);
	action = standin_run(run->program == PROGRAM_FRAGS);
	ASAN_UNPOISON_MEMORY_REGION(frame->buffer, BUFFER_SIZE);
	run->out_length = frame->end - frame->meta;
	memcpy(run->out, (void *)(uintptr_t)frame->meta, run->out_length);
	return action;
}

bool map_lookup(enum map map, const void *key, void *value)
{
	const void *there = standin_lookup(&standin_maps[map], key);

	if (there)
		memcpy(value, there, standin_maps[map].value_size);
	return there;
}

void map_update(enum map map, const void *key, const void *value)
{
	if (!standin_update(&standin_maps[map], key, value))
		broken("update of map %d", map);
}

int map_count(enum map map)
{
	return standin_maps[map].used;
}

void map_clear(enum map map)
{
	standin_clear(&standin_maps[map]);
}

bool map_next(enum map map, const void *key, void *next)
{
	const struct standin_map *standin = &standin_maps[map];
	size_t i = 0;

	while (key && i < standin->used &&
	       memcmp(standin->keys + i * standin->key_size, key, standin->key_size))
		i++;
	i += key != NULL;
	if (i >= standin->used)
		return false;
	memcpy(next, standin->keys + i * standin->key_size, standin->key_size);
	return true;
}

void *map_memory(enum map map)
{
	return standin_maps[map].values;
}

void *table_memory(int number)
{
	return tables[number].values;
}

void read_sums(enum map map, uint32_t number, uint64_t *sums, size_t size)
{
	memcpy(sums, standin_maps[map].values + number * size, size);
}

const struct event *next_event(void)
{
	return NULL;
}

uint32_t tick_now(void)
{
	return standin_clock >> TICK_SHIFT;
}
