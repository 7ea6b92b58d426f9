// SPDX-License-Identifier: GPL-2.0
/*
 * Cases from recorded traffic: cases/NAME.pcap, with the set-up in cases/NAME.conf; record.sh makes
 * both. Frames to the MAC that the first one is for go in. What is sent must be what the recording
 * has from that MAC, byte for byte and in that order; what is not sent must stay as it was.
 */
#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <linux/bpf.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "balancer.h"
#include "cases.h"

#define MAC_LENGTH 6
#define MIN_FRAME 14
#define MAX_RECORDED 1000 /* frames */
#define PCAP_MAGIC 0xa1b2c3d4 /* microseconds */
#define PCAP_MAGIC_NS 0xa1b23c4d
#define LINK_ETHERNET 1

struct pcap_header {
	uint32_t magic;
	uint16_t major, minor;
	uint32_t zone, accuracy, snap_length, link;
};

struct pcap_record {
	uint32_t seconds, fraction, length, length_on_wire;
};

struct recorded {
	uint8_t *bytes;
	size_t length;
};

struct recording {
	struct recorded frame[MAX_RECORDED];
	int count;
	int next_out; /* the next frame that must come out, or count */
};

/* Set-up */

static bool parse_address(const char *text, struct address *address)
{
	memset(address, 0, sizeof(*address));
	if (inet_pton(AF_INET6, text, address) == 1)
		return true;
	address->word[2] = htonl(0xffff);
	return inet_pton(AF_INET, text, &address->word[3]) == 1;
}

static bool parse_mac(const char *text, uint8_t *mac)
{
	char end;

	return sscanf(text, "%hhx:%hhx:%hhx:%hhx:%hhx:%hhx%c", &mac[0], &mac[1], &mac[2], &mac[3],
		      &mac[4], &mac[5], &end) == MAC_LENGTH;
}

static int parse_mode(const char *text)
{
	static const char *const modes[] = { "nat", "dsr", "ipip" };

	for (int i = 0; i < 3; i++)
		if (!strcmp(text, modes[i]))
			return i;
	return -1;
}

/* service ADDRESS PORT tcp|udp nat|dsr|ipip */
static bool set_up_service(char words[][64], int count, int number)
{
	struct service_key key = { .vip = number, .port = htons(atoi(words[2])) };
	struct service service = { .number = number, .table = number };
	struct vip vip = { .number = number };
	struct address address;
	int mode = parse_mode(words[4]);

	if (count != 5 || mode < 0 || !parse_address(words[1], &address))
		return false;
	key.protocol = strcmp(words[3], "tcp") ? IPPROTO_UDP : IPPROTO_TCP;
	service.mode = mode;
	map_update(MAP_VIPS, &address, &vip);
	map_update(MAP_SERVICES, &key, &service);
	return true;
}

/* backend ADDRESS PORT MAC: another owner of slots of the service named last */
static bool set_up_backend(char words[][64], int count, int service, int number)
{
	struct backend *backend = (struct backend *)map_memory(MAP_BACKENDS) + number;

	if (count != 4 || !service || number >= TEST_BACKENDS)
		return false;
	backend->service = service;
	backend->generation = 1;
	backend->port = htons(atoi(words[2]));
	return parse_address(words[1], &backend->address) &&
	       parse_mac(words[3], backend->hop[0].mac);
}

/* The table has a slot for each backend, as many as there are once all lines were read. */
static bool add_slot(int service, int backend)
{
	struct service_key key;
	struct service value;

	for (bool more = map_next(MAP_SERVICES, NULL, &key); more;
	     more = map_next(MAP_SERVICES, &key, &key)) {
		if (key.vip != service || !map_lookup(MAP_SERVICES, &key, &value))
			continue;
		set_owner(service, value.slots++, backend);
		map_update(MAP_SERVICES, &key, &value);
		return true;
	}
	return false;
}

static bool set_up_line(const char *line, int *services, int *backends)
{
	char words[5][64] = {};
	int count = sscanf(line, "%63s %63s %63s %63s %63s", words[0], words[1], words[2], words[3],
			   words[4]);

	if (count <= 0 || *words[0] == '#')
		return true;
	if (!strcmp(words[0], "service") && *services < TEST_TABLES)
		return set_up_service(words, count, ++*services);
	if (!strcmp(words[0], "backend"))
		return set_up_backend(words, count, *services, ++*backends) &&
		       add_slot(*services, *backends);
	return false;
}

static void set_up(const char *path)
{
	FILE *file = fopen(path, "r");
	int services = 0, backends = 0;
	char line[512];

	if (!file)
		broken("open %s", path);
	for (int number = 1; fgets(line, sizeof(line), file); number++) {
		if (!set_up_line(line, &services, &backends)) {
			errno = EINVAL;
			broken("%s:%d", path, number);
		}
	}
	fclose(file);
}

/* Recordings */

/* Whether it came from the balancer: its MAC is the destination of the first frame. */
static bool is_output(const struct recording *recording, int number)
{
	return !memcmp(recording->frame[number].bytes + MAC_LENGTH, recording->frame[0].bytes,
		       MAC_LENGTH);
}

static bool is_input(const struct recording *recording, int number)
{
	return !memcmp(recording->frame[number].bytes, recording->frame[0].bytes, MAC_LENGTH);
}

static bool read_frame(struct recording *recording, FILE *file)
{
	struct recorded *frame = &recording->frame[recording->count];
	struct pcap_record record;

	if (recording->count == MAX_RECORDED || fread(&record, sizeof(record), 1, file) != 1 ||
	    record.length > MAX_FRAME || record.length < MIN_FRAME)
		return false;
	frame->length = record.length;
	frame->bytes = malloc(record.length);
	if (!frame->bytes)
		broken("memory");
	if (fread(frame->bytes, record.length, 1, file) != 1) {
		free(frame->bytes);
		return false;
	}
	recording->count++;
	return true;
}

static void read_recording(struct recording *recording, const char *path)
{
	FILE *file = fopen(path, "r");
	struct pcap_header header;

	if (!file)
		broken("open %s", path);
	recording->count = 0;
	check(fread(&header, sizeof(header), 1, file) == 1 &&
		      (header.magic == PCAP_MAGIC || header.magic == PCAP_MAGIC_NS) &&
		      header.link == LINK_ETHERNET,
	      "not a pcap file of Ethernet, in this byte order");
	while (passed_so_far() && read_frame(recording, file))
		;
	check(recording->count, "no packet in it");
	fclose(file);
}

static void find_next_out(struct recording *recording)
{
	while (recording->next_out < recording->count && !is_output(recording, recording->next_out))
		recording->next_out++;
}

#define IP4_ID 18 /* offsets in a frame without tags */
#define IP4_OFFSET 20
#define IP4_CHECKSUM 24
#define IP6_NEXT 20
#define IP6_ID 58 /* of a fragment header that comes first */

/* A fragment that is translated has an id that nobody knows before: it gets the recorded one. */
static void take_id(uint8_t *sent, const struct recorded *recorded)
{
	bool ipv4 = sent[12] == 0x08;
	uint16_t checksum;

	if (!ipv4 && sent[IP6_NEXT] == IPPROTO_FRAGMENT)
		memcpy(sent + IP6_ID, recorded->bytes + IP6_ID, 4);
	if (!ipv4 || !(sent[IP4_OFFSET] & 0x3f || sent[IP4_OFFSET + 1]) ||
	    internet_checksum(sent + MIN_FRAME, 20, 0))
		return;
	memcpy(sent + IP4_ID, recorded->bytes + IP4_ID, 2);
	memset(sent + IP4_CHECKSUM, 0, 2);
	checksum = internet_checksum(sent + MIN_FRAME, 20, 0);
	sent[IP4_CHECKSUM] = checksum >> 8;
	sent[IP4_CHECKSUM + 1] = checksum;
}

/* What is sent must be what the recording has next; what is not must stay as it was. */
static void play_frame(struct recording *recording, int number)
{
	const struct recorded *in = &recording->frame[number], *out;
	static struct outcome outcome;

	run_packet(in->bytes, in->length, &outcome);
	if (outcome.action != XDP_TX && outcome.action != XDP_REDIRECT) {
		check_bytes(outcome.frame, outcome.length, in->bytes, in->length);
		return;
	}
	find_next_out(recording);
	check(recording->next_out < recording->count, "frame %d is sent, more than recorded",
	      number + 1);
	if (!passed_so_far())
		return;
	out = &recording->frame[recording->next_out++];
	take_id(outcome.frame, out);
	check_bytes(outcome.frame, outcome.length, out->bytes, out->length);
	check(passed_so_far(), "frame %d in, %d out", number + 1, recording->next_out);
}

static void play(const char *path)
{
	static struct recording recording;

	recording.next_out = 0;
	read_recording(&recording, path);
	for (int i = 0; i < recording.count && passed_so_far(); i++)
		if (is_input(&recording, i))
			play_frame(&recording, i);
	find_next_out(&recording);
	check(recording.next_out >= recording.count, "frame %d was not sent",
	      recording.next_out + 1);
	while (recording.count)
		free(recording.frame[--recording.count].bytes);
}

/* All there are */

static char directory[4096];

static int is_recording(const struct dirent *entry)
{
	const char *dot = strrchr(entry->d_name, '.');

	return dot && !strcmp(dot, ".pcap");
}

static char pcap_path[4400], conf_path[4400];

static void play_with_set_up(void)
{
	set_up(conf_path);
	play(pcap_path);
}

/* Of the first service. */
static int family_of(const char *path)
{
	FILE *file = fopen(path, "r");
	char line[512], address[64] = "";

	if (!file)
		broken("open %s", path);
	while (!*address && fgets(line, sizeof(line), file))
		sscanf(line, "service %63s", address);
	fclose(file);
	return strchr(address, ':') ? V6 : V4;
}

static void run_recording(const char *file)
{
	struct test_case test = { .steps = { DO(play_with_set_up) } };
	char name[300];
	int stem = strrchr(file, '.') - file;

	snprintf(name, sizeof(name), "recorded: %.*s", stem, file);
	snprintf(pcap_path, sizeof(pcap_path), "%s/%s", directory, file);
	snprintf(conf_path, sizeof(conf_path), "%s/%.*s.conf", directory, stem, file);
	test.name = name;
	test.families = family_of(conf_path);
	run_cases(&test, 1);
}

/* Those in a directory that is named, or all that there are beside the object's sources. */
static void find_cases(int argc, char **argv)
{
	const char *slash = strrchr(object_path, '/');
	int stem = slash ? slash - object_path : 1;

	if (argc > 2)
		snprintf(directory, sizeof(directory), "%s", argv[2]);
	else
		snprintf(directory, sizeof(directory), "%.*s/tests/packet/cases", stem,
			 slash ? object_path : ".");
}

int main(int argc, char **argv)
{
	struct dirent **names;
	int count;

	open_kernel(argc, argv);
	find_cases(argc, argv);
	count = scandir(directory, &names, is_recording, alphasort);
	if (count < 0)
		broken("%s", directory);
	for (int i = 0; i < count; i++)
		run_recording(names[i]->d_name);
	return finish_cases();
}
