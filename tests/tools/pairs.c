// SPDX-License-Identifier: GPL-2.0
/*
 * pairs ADDRESS PORT HOW COUNT: COUNT connections within this process, one after the other, a thread
 * at each end, through everything that TCP promises. Fails if a byte is lost, doubled or out of its
 * place, or if an end waits for ten seconds. HOW:
 *
 *   fin      the writer closes; the reader gets all, then the end
 *   half     the writer ends its direction only; the reader gets all, then answers, and closes
 *   reset    the writer resets the connection; the reader gets all, then ECONNRESET
 *   stuck    the reader does not read: the writer must be stopped within 32 MB, then all is read
 *   slow     the reader is slower than the writer for a while: 64 MB, with pauses
 *   echo     COUNT bursts to and fro on one connection, of sizes from 1 byte to 100 KB, a pause
 *            after each: for what is to be done to a connection meanwhile
 */
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <linux/sockios.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "address.h"

#define MOST (32 << 20) /* bytes that a writer may have under way */
#define CHUNK (1 << 16)
#define SLOW_BYTES (64 << 20)
#define PATIENCE 10000 /* ms */
#define PAUSE 20000 /* us */

/* The position in a direction of a connection, and what is to be found there. */
struct stream {
	uint32_t at;
	uint32_t seed;
};

struct connection {
	int writer;
	int reader;
	uint32_t number;
	long written; /* stuck: how much was */
};

static uint8_t byte_at(const struct stream *stream)
{
	uint32_t x = (stream->at ^ stream->seed * 2654435761u) * 2246822519u;

	return (uint8_t)(x >> 24 ^ x >> 11);
}

static _Noreturn void fail(const struct connection *connection, const char *what)
{
	fprintf(stderr, "pairs: connection %u: %s (%s)\n", connection->number, what,
		strerror(errno));
	exit(1);
}

/* As programs with an event loop do. In the map of scripts/sockmap, a read that itself waits can end
 * with EAGAIN though nothing is wrong.
 */
static void wait_for(struct connection *connection, int fd, short events)
{
	struct pollfd wanted = { .fd = fd, .events = events };

	errno = ETIMEDOUT;
	if (poll(&wanted, 1, PATIENCE) != 1)
		fail(connection, events == POLLIN ? "waiting to read" : "waiting to write");
}

static void fill(struct stream *stream, uint8_t *data, size_t size)
{
	for (size_t i = 0; i < size; i++, stream->at++)
		data[i] = byte_at(stream);
}

static void write_bytes(struct connection *connection, int fd, struct stream *stream, size_t size)
{
	uint8_t data[CHUNK];

	while (size) {
		size_t chunk = size < CHUNK ? size : CHUNK, done = 0;

		fill(stream, data, chunk);
		size -= chunk;
		while (done < chunk) {
			ssize_t length = send(fd, data + done, chunk - done, MSG_NOSIGNAL);

			if (length < 0 && errno != EAGAIN)
				fail(connection, "send");
			if (length < 0)
				wait_for(connection, fd, POLLOUT);
			else
				done += length;
		}
	}
}

/* Returns what recv() does once there is something, having checked the bytes. */
static ssize_t read_some(struct connection *connection, int fd, struct stream *stream, size_t size)
{
	uint8_t data[CHUNK];
	ssize_t length;

	while ((length = recv(fd, data, size < CHUNK ? size : CHUNK, 0)) < 0 && errno == EAGAIN)
		wait_for(connection, fd, POLLIN);
	for (ssize_t i = 0; i < length; i++, stream->at++) {
		if (data[i] == byte_at(stream))
			continue;
		errno = EBADMSG;
		fprintf(stderr, "pairs: byte %u\n", stream->at);
		fail(connection, "a byte is not the one that was written there");
	}
	return length;
}

static void read_bytes(struct connection *connection, int fd, struct stream *stream, size_t size)
{
	while (size) {
		ssize_t length = read_some(connection, fd, stream, size);

		if (length <= 0)
			fail(connection, "recv");
		size -= length;
	}
}

/* All that comes, to the end; then ERROR is what is expected, 0 being the orderly end. */
static void read_to_end(struct connection *connection, struct stream *stream, uint32_t size,
			int error)
{
	ssize_t length;

	do {
		length = read_some(connection, connection->reader, stream, CHUNK);
	} while (length > 0);
	if (stream->at != size) {
		fprintf(stderr, "pairs: %u of %u bytes\n", stream->at, size);
		fail(connection, "bytes are missing");
	}
	if ((length < 0 ? errno : 0) != error)
		fail(connection, "another end than was expected");
}

/* From a byte to some hundred KB, by the connection's number. */
static uint32_t size_of(uint32_t number)
{
	return 1 + (number * 2654435761u >> (10 + number % 20));
}

static void write_in_pieces(struct connection *connection, struct stream *stream)
{
	uint32_t size = size_of(connection->number), piece;

	for (; size; size -= piece) {
		piece = 1 + (stream->at * 7 + connection->number) % 9000;
		piece = piece < size ? piece : size;
		write_bytes(connection, connection->writer, stream, piece);
	}
}

static void reset(struct connection *connection)
{
	struct linger now = { .l_onoff = 1 };

	if (setsockopt(connection->writer, SOL_SOCKET, SO_LINGER, &now, sizeof(now)))
		fail(connection, "SO_LINGER");
	close(connection->writer);
}

/* One writer and reader for each way that a connection may go; each closes its own end. */
static void *fin_reader(void *argument)
{
	struct connection *connection = argument;
	struct stream in = { .seed = connection->number };

	read_to_end(connection, &in, size_of(connection->number), 0);
	close(connection->reader);
	return NULL;
}

static void fin_writer(struct connection *connection)
{
	struct stream out = { .seed = connection->number };

	write_in_pieces(connection, &out);
	close(connection->writer);
}

static void *half_reader(void *argument)
{
	struct connection *connection = argument;
	struct stream in = { .seed = connection->number }, out = { .seed = ~connection->number };

	read_to_end(connection, &in, size_of(connection->number), 0);
	write_bytes(connection, connection->reader, &out, size_of(connection->number + 1));
	close(connection->reader);
	return NULL;
}

static void half_writer(struct connection *connection)
{
	struct stream out = { .seed = connection->number }, in = { .seed = ~connection->number };

	write_in_pieces(connection, &out);
	shutdown(connection->writer, SHUT_WR);
	read_bytes(connection, connection->writer, &in, size_of(connection->number + 1));
	if (read_some(connection, connection->writer, &in, 1) != 0)
		fail(connection, "more than was answered");
	close(connection->writer);
}

static void *reset_reader(void *argument)
{
	struct connection *connection = argument;
	struct stream in = { .seed = connection->number };

	read_to_end(connection, &in, size_of(connection->number), ECONNRESET);
	close(connection->reader);
	return NULL;
}

/* A reset throws away what TCP has not delivered yet: only when all is there. */
static void reset_writer(struct connection *connection)
{
	struct stream out = { .seed = connection->number };
	int waiting;

	write_in_pieces(connection, &out);
	do {
		if (ioctl(connection->writer, SIOCOUTQ, &waiting))
			fail(connection, "SIOCOUTQ");
	} while (waiting);
	reset(connection);
}

static void *stuck_reader(void *argument)
{
	struct connection *connection = argument;
	struct stream in = { .seed = connection->number };

	while (!__atomic_load_n(&connection->written, __ATOMIC_ACQUIRE))
		usleep(1000);
	read_to_end(connection, &in, (uint32_t)connection->written, 0);
	close(connection->reader);
	return NULL;
}

/* Writes without waiting until nothing has been taken for half a second. */
static void stuck_writer(struct connection *connection)
{
	struct stream out = { .seed = connection->number };
	uint8_t data[CHUNK];

	for (int refused = 0; refused < 50;) {
		struct stream next = out;
		ssize_t length;

		fill(&next, data, CHUNK);
		length = send(connection->writer, data, CHUNK, MSG_NOSIGNAL);
		if (length < 0 && errno != EAGAIN)
			fail(connection, "send");
		refused = length > 0 ? 0 : refused + 1;
		out.at += length > 0 ? (uint32_t)length : 0;
		if (out.at > MOST)
			fail(connection, "nothing stops the writer");
		if (refused)
			usleep(10000);
	}
	printf("stopped after %u bytes\n", out.at);
	__atomic_store_n(&connection->written, out.at, __ATOMIC_RELEASE);
	close(connection->writer);
}

static void *slow_reader(void *argument)
{
	struct connection *connection = argument;
	struct stream in = { .seed = connection->number };

	while (in.at < SLOW_BYTES) {
		size_t part = SLOW_BYTES / 16;

		usleep(in.at / part % 2 ? 0 : PAUSE);
		read_bytes(connection, connection->reader, &in, part);
	}
	read_to_end(connection, &in, SLOW_BYTES, 0);
	close(connection->reader);
	return NULL;
}

static void slow_writer(struct connection *connection)
{
	struct stream out = { .seed = connection->number };

	while (out.at < SLOW_BYTES) {
		uint32_t rest = SLOW_BYTES - out.at, size = out.at % 3 ? 4096 : 65521;

		write_bytes(connection, connection->writer, &out, size < rest ? size : rest);
	}
	close(connection->writer);
}

static int bursts;

static uint32_t burst_size(int i)
{
	return size_of(i) % 100000 + 1;
}

static void *echo_reader(void *argument)
{
	struct connection *connection = argument;
	struct stream in = { 0 }, out = { .seed = 1 };

	for (int i = 0; i < bursts; i++) {
		read_bytes(connection, connection->reader, &in, burst_size(i));
		write_bytes(connection, connection->reader, &out, burst_size(i));
	}
	close(connection->reader);
	return NULL;
}

static void echo_writer(struct connection *connection)
{
	struct stream out = { 0 }, in = { .seed = 1 };

	for (int i = 0; i < bursts; i++) {
		write_bytes(connection, connection->writer, &out, burst_size(i));
		read_bytes(connection, connection->writer, &in, burst_size(i));
		usleep(PAUSE);
	}
	close(connection->writer);
}

static const struct way {
	const char *name;
	void *(*reader)(void *argument);
	void (*writer)(struct connection *connection);
} WAYS[] = {
	{ "fin", fin_reader, fin_writer },	 { "half", half_reader, half_writer },
	{ "reset", reset_reader, reset_writer }, { "stuck", stuck_reader, stuck_writer },
	{ "slow", slow_reader, slow_writer },	 { "echo", echo_reader, echo_writer },
};

static const struct way *find_way(const char *name)
{
	for (size_t i = 0; i < sizeof(WAYS) / sizeof(WAYS[0]); i++) {
		if (strcmp(WAYS[i].name, name) == 0)
			return &WAYS[i];
	}
	return NULL;
}

static int listen_at(const union address *address)
{
	int fd = socket(address->any.sa_family, SOCK_STREAM, 0), yes = 1;

	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes)) ||
	    bind(fd, &address->any, length_of(address)) || listen(fd, 1))
		die("listen");
	return fd;
}

static void run(const struct way *way, int listener, const union address *address, uint32_t number)
{
	struct connection connection = { .number = number };
	pthread_t reader;

	connection.writer = socket(address->any.sa_family, SOCK_STREAM, 0);
	if (connection.writer < 0 || connect(connection.writer, &address->any, length_of(address)))
		fail(&connection, "connect");
	connection.reader = accept(listener, NULL, NULL);
	if (connection.reader < 0)
		fail(&connection, "accept");
	if (fcntl(connection.writer, F_SETFL, O_NONBLOCK) ||
	    fcntl(connection.reader, F_SETFL, O_NONBLOCK))
		fail(&connection, "O_NONBLOCK");
	if (pthread_create(&reader, NULL, way->reader, &connection))
		fail(&connection, "thread");
	way->writer(&connection);
	pthread_join(reader, NULL);
}

int main(int argc, char **argv)
{
	union address address;
	const struct way *way;
	int listener, count;

	if (argc != 5 || !(way = find_way(argv[3]))) {
		fprintf(stderr, "usage: pairs ADDRESS PORT fin|half|reset|stuck|slow|echo COUNT\n");
		return 2;
	}
	setvbuf(stdout, NULL, _IOLBF, 0);
	address = parse_address(argv[1], atoi(argv[2]));
	count = atoi(argv[4]);
	if (way->writer == echo_writer) {
		bursts = count;
		count = 1;
	}
	listener = listen_at(&address);
	for (int i = 0; i < count; i++)
		run(way, listener, &address, i);
	printf("%s %d\n", way->name, way->writer == echo_writer ? bursts : count);
	return 0;
}
