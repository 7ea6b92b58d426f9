// SPDX-License-Identifier: GPL-2.0
/*
 * argfuzz COUNT HELPER [ARGUMENT]...: runs HELPER ARGUMENT... COUNT times with commands that are mostly
 * wrong, made from the forms and values below. It must never end by a signal, or hang; an error is
 * one printable line on standard error; what is surely wrong is status 2 and prints nothing else.
 * Prints how many commands had which status, and fails at the first that breaks a rule.
 */
#define _GNU_SOURCE /* memfd_create */
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define MAX_WORDS 64
#define PATIENCE 20 /* seconds for a command */
#define LONG_WORD 5000

extern char **environ;

/* Words in capitals stand for values. What begins with ! would wait or sleep if it were right. */
static const char *const forms[] = {
	"service add VIP",
	"service add VIP mode MODE",
	"service add VIP mode MODE table SLOTS settle SECONDS hash HASH",
	"service add VIP mode dnat via ADDRESS",
	"service add VIP hash HASH table SLOTS",
	"service add VIP pick PICK",
	"service del VIP",
	"service show",
	"service show VIP",
	"backend add VIP REAL",
	"backend add VIP REAL weight WEIGHT",
	"backend add VIP REAL mac MAC weight WEIGHT",
	"backend set VIP REAL weight WEIGHT",
	"backend set VIP REAL mac MAC",
	"backend add VIP REAL backup",
	"backend health VIP REAL HEALTH",
	"check set VIP tcp interval TIME timeout TIME rise ROW fall ROW",
	"check set VIP http PATH host NAME status STATUS port PORT",
	"check set VIP exec NAME on-fail ONFAIL panic PERCENT",
	"check del VIP",
	"check show",
	"backend drain VIP REAL",
	"backend down VIP REAL",
	"backend up VIP REAL",
	"backend del VIP REAL",
	"flow show",
	"flow show VIP",
	"flow show VIP SOURCE REAL",
	"flow count",
	"flow flush",
	"flow flush VIP",
	"flow flush VIP REAL",
	"source add ADDRESS",
	"source add ADDRESS ADDRESS",
	"source del ADDRESS",
	"source show",
	"timeout show",
	"timeout set TIMEOUT SECONDS",
	"where VIP CLIENT",
	"stats",
	"stats VIP",
	"stats zero",
	"!stats VIP interval SECONDS",
	"metrics",
	"deny add PREFIX",
	"deny del PREFIX",
	"deny show",
	"limit set VIP pps RATE",
	"limit set VIP pps RATE burst RATE",
	"limit set VIP flows RATE per-source conns RATE",
	"limit set VIP flows RATE",
	"limit del VIP",
	"limit show",
	"limit pmtu RATE",
	"!refresh",
	"!trace VIP SOURCE count COUNT",
	"!trace count COUNT",
	"save TARGET",
	"apply FILE",
	"apply FILE dry-run empty",
	"apply FILE FILE",
	"fingerprint",
	"!doctor DEV",
	"!watch from ADDRESS announce COUNT keep -o TARGET",
	"!watch drain within SECONDS -o TARGET",
	"watch up -o TARGET",
	"!upgrade DEV dry-run",
	"help",
	"version",
};

/* Values of a kind: right ones, and wrong ones. */
#define MAX_VALUES 12
struct kind {
	const char *name;
	const char *right[MAX_VALUES];
	const char *wrong[MAX_VALUES];
};

static const struct kind kinds[] = {
	{ "VIP",
	  { "10.0.0.10:80/tcp", "10.0.0.10:53/udp", "10.0.0.10:*/udp", "[fd00:10::10]:80/tcp",
	    "[fd00:10::10]:65535/udp", "192.0.2.1:1/tcp" },
	  { "10.0.0.10", "10.0.0.10:80", "10.0.0.10:0/tcp", "10.0.0.10:80/sctp", "fd00::1:80/tcp",
	    "[::ffff:10.0.0.1]:80/tcp", "[fe80::1%lo]:80/tcp", "224.0.0.1:80/tcp", "0.0.0.0:80/tcp",
	    "10.0.0.10:65536/tcp", "[]:80/tcp", "10.0.0.10:/tcp" } },
	{ "REAL",
	  { "10.0.0.2", "10.0.0.3:80", "fd00:10::2", "[fd00:10::3]", "[fd00:10::2]:80" },
	  { "10.0.0", "10.0.0.2:", "10.0.0.2:0", "10.0.0.2:*", "[fd00::1", "::ffff:10.0.0.2",
	    "::", "ff02::1", "fe80::1%lo", "10.0.0.2/24", "1.2.3.4.5" } },
	{ "CLIENT",
	  { "10.0.0.1:40000", "[fd00:10::1]:1", "203.0.113.7:65535" },
	  { "10.0.0.1", "fd00:10::1", "10.0.0.1:0", "10.0.0.1:70000", "10.0.0.1:*", ":80" } },
	{ "SOURCE",
	  { "10.0.0.1", "10.0.0.1:40000", "fd00:10::1" },
	  { "10.0.0.1:0", "10.0.0.1:*", ":80" } },
	{ "ADDRESS",
	  { "10.0.0.11", "fd00:10::11" },
	  { "10.0.0", "10.0.0.11:80", "::ffff:10.0.0.2", "::", "ff02::1", "fe80::1%lo" } },
	{ "PREFIX",
	  { "192.0.2.0/24", "203.0.113.5", "2001:db8::/32", "2001:db8::1" },
	  { "192.0.2.1/24", "192.0.2.0/33", "2001:db8::/129", "192.0.2.0/", "/8",
	    "192.0.2.0/-1" } },
	{ "HEALTH", { "ok", "failing" }, { "unknown", "OK", "up" } },
	{ "TIME", { "1", "0.5", "2.125" }, { "0", ".5", "1.", "0.04", "3601", "1s", "1.2345" } },
	{ "ROW", { "1", "1000" }, { "0", "1001", "2x" } },
	{ "PATH", { "/", "/health?x=1" }, { "health", "", "/a b" } },
	{ "NAME", { "www.example.org", "check" }, { "", "a/b" } },
	{ "STATUS", { "200", "404" }, { "99", "600" } },
	{ "PORT", { "1", "65535" }, { "0", "65536" } },
	{ "ONFAIL", { "down", "drain" }, { "up", "Drain" } },
	{ "PERCENT", { "0", "50", "100" }, { "101", "50%" } },
	{ "WEIGHT", { "1", "100", "1000" }, { "0", "1001", "-5", "1e3", "100 " } },
	{ "MAC",
	  { "02:00:00:00:00:01", "DE:AD:BE:EF:00:02" },
	  { "02:00:00:00:00", "01:00:5e:00:00:01", "00:00:00:00:00:00", "02-00-00-00-00-01",
	    "02:00:00:00:00:0g", "ff:ff:ff:ff:ff:ff" } },
	{ "MODE", { "nat", "dsr", "ipip", "dnat", "user" }, { "NAT", "na", "natt", "tunnel" } },
	{ "PICK", { "hash", "least" }, { "leas", "fewest", "LEAST" } },
	{ "HASH", { "flow", "source" }, { "sourc", "port", "FLOW" } },
	{ "SLOTS", { "251", "1021" }, { "65536", "0", "1", "655374", "4294967291" } },
	{ "SECONDS", { "1", "60", "1000000" }, { "0", "1000001", "1s", "4294967296" } },
	{ "RATE", { "1", "1000", "100000000" }, { "0", "100000001", "1k", "18446744073709551617" } },
	{ "COUNT", { "1", "5" }, { "0", "4294967296", "five" } },
	{ "TIMEOUT", { "tcp", "fin", "udp" }, { "TCP", "icmp", "syn" } },
	{ "FILE", { "/dev/null", "/nonexistent", "/", "" }, { NULL } },
	{ "TARGET", { "-", "/dev/null", "/nonexistent/file", "/", "" }, { NULL } },
	{ "DEV", { "veth6" }, { "", "a/b", "a-name-that-is-too-long" } },
};

/* Wrong for all but a file and a device. */
static const char *const rubbish[] = {
	"",	    " ",	   "nonsense",
	"-1",	    "+1",	   "01",
	"1.5",	    "0x10",	   "99999999999999999999999",
	"%s%n%s%n", "\033[31mred", "\xff\xfe\x80",
	"a\nb",	    "\t",	   "..",
	"*",	    "[",	   "]",
	":",	    "/",	   "::::::::::",
};

#define COUNT_OF(array) (sizeof(array) / sizeof(*(array)))

struct line {
	char *word[MAX_WORDS + 1];
	const struct kind *kind[MAX_WORDS]; /* that a word is of, or NULL */
	unsigned int count;
	bool surely_wrong, would_wait;
};

static unsigned int below(unsigned int end)
{
	return (unsigned int)random() % end;
}

static bool one_in(unsigned int chances)
{
	return !below(chances);
}

static const char *any_of(const char *const *values, unsigned int room)
{
	unsigned int count = 0;

	while (count < room && values[count])
		count++;
	return values[below(count)];
}

static const struct kind *find_kind(const char *name)
{
	for (unsigned int i = 0; i < COUNT_OF(kinds); i++) {
		if (!strcmp(kinds[i].name, name))
			return &kinds[i];
	}
	return NULL;
}

static void insert(struct line *line, unsigned int at, const char *word, const struct kind *kind)
{
	if (line->count == MAX_WORDS)
		return;
	for (unsigned int i = line->count; i > at; i--) {
		line->word[i] = line->word[i - 1];
		line->kind[i] = line->kind[i - 1];
	}
	line->word[at] = strdup(word);
	line->kind[at] = kind;
	line->count++;
}

static void replace(struct line *line, unsigned int at, const char *word)
{
	free(line->word[at]);
	line->word[at] = strdup(word);
}

static void make_right(struct line *line)
{
	const char *form = forms[below(COUNT_OF(forms))];
	char text[200], *rest = text, *word;

	line->would_wait = *form == '!';
	snprintf(text, sizeof(text), "%s", form + line->would_wait);
	while ((word = strsep(&rest, " "))) {
		const struct kind *kind = find_kind(word);

		insert(line, line->count, kind ? any_of(kind->right, MAX_VALUES) : word, kind);
	}
}

static const char *long_word(void)
{
	static char word[LONG_WORD + 1];

	memset(word, "A1:./[%"[below(7)], LONG_WORD);
	return word;
}

static const char *any_rubbish(void)
{
	return one_in(20) ? long_word() : rubbish[below(COUNT_OF(rubbish))];
}

/* A value becomes a wrong one. Returns false if no value of its kind is, or the word is no value. */
static bool break_value(struct line *line)
{
	unsigned int at = below(line->count);
	const struct kind *kind = line->kind[at];

	if (!kind || !kind->wrong[0])
		return false;
	if (!strcmp(kind->name, "DEV") || one_in(2))
		replace(line, at, any_of(kind->wrong, MAX_VALUES));
	else
		replace(line, at, any_rubbish());
	return true;
}

/* A word of the form becomes another. */
static bool break_word(struct line *line)
{
	unsigned int at = below(line->count);
	const char *word = any_rubbish();

	if (line->kind[at])
		return false;
	replace(line, at, word);
	return true;
}

static bool make_surely_wrong(struct line *line)
{
	switch (below(4)) {
	case 0:
		insert(line, line->count, any_rubbish(), NULL);
		return true;
	case 1:
		insert(line, 0, one_in(2) ? "-x" : "--", NULL);
		if (!strcmp(line->word[0], "-x"))
			return true;
		replace(line, 0, "-jx");
		return true;
	case 2:
		return break_word(line);
	default:
		return break_value(line);
	}
}

/* Anything may come of it. */
static void muddle(struct line *line)
{
	unsigned int a = below(line->count), b = below(line->count);
	char *word = line->word[a];

	switch (below(5)) {
	case 0:
		line->word[a] = line->word[b];
		line->word[b] = word;
		break;
	case 1:
		insert(line, a, line->word[b], NULL);
		break;
	case 2:
		free(line->word[--line->count]);
		break;
	case 3:
		if (*word)
			word[below(strlen(word))] = 1 + below(255);
		break;
	default:
		insert(line, a, any_rubbish(), NULL);
	}
}

static void make_line(struct line *line)
{
	memset(line, 0, sizeof(*line));
	make_right(line);
	if (line->would_wait || !one_in(4)) {
		while (!line->surely_wrong)
			line->surely_wrong = make_surely_wrong(line);
	} else if (!one_in(4)) {
		for (unsigned int i = below(4); i > 0 && line->count; i--)
			muddle(line);
		/* What would wait must not come of it. */
		if (!line->count || strchr("rtd", *line->word[0]) ||
		    !strcmp(line->word[0], "stats"))
			insert(line, line->count, "nonsense", NULL);
	}
	if (one_in(4))
		insert(line, 0, "-j", NULL);
	line->word[line->count] = NULL;
}

static void print_line(const struct line *line)
{
	fprintf(stderr, "argfuzz: xdp-lb");
	for (unsigned int i = 0; i < line->count; i++) {
		fprintf(stderr, " '");
		for (const char *c = line->word[i]; *c; c++)
			fprintf(stderr, isprint((unsigned char)*c) ? "%c" : "\\x%02x",
				(unsigned char)*c);
		fprintf(stderr, "'");
	}
	fprintf(stderr, "\n");
}

static void expire(int number)
{
	(void)number; /* interrupts waitpid() */
}

/* Runs a command. Returns what waitpid() says, or -1 if it hung. */
static int run(char **arguments, int out, int err)
{
	posix_spawn_file_actions_t actions;
	int status = -1;
	pid_t pid;

	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
	posix_spawn_file_actions_adddup2(&actions, out, 1);
	posix_spawn_file_actions_adddup2(&actions, err, 2);
	errno = posix_spawn(&pid, arguments[0], &actions, NULL, arguments, environ);
	posix_spawn_file_actions_destroy(&actions);
	if (errno) {
		perror(arguments[0]);
		exit(1);
	}
	alarm(PATIENCE);
	if (waitpid(pid, &status, 0) < 0) {
		kill(pid, SIGKILL);
		waitpid(pid, NULL, 0);
		return -1;
	}
	alarm(0);
	return status;
}

/* Reads what was written to a memory file, and empties it. */
static size_t take(int fd, char *text, size_t size)
{
	ssize_t length = pread(fd, text, size - 1, 0);

	if (length < 0 || ftruncate(fd, 0) || lseek(fd, 0, SEEK_SET))
		length = 0;
	text[length] = '\0';
	return length;
}

static const char *check_error(const char *error, size_t length)
{
	if (strncmp(error, "xdp-lb: ", 8))
		return "an error does not begin with 'xdp-lb: '";
	for (size_t i = 0; i + 1 < length; i++) {
		if (!isprint((unsigned char)error[i]))
			return "an error is not one printable line";
	}
	return error[length - 1] == '\n' ? NULL : "an error does not end its line";
}

/* What is wrong with how the command ended; NULL if nothing is. */
static const char *check(const struct line *line, int status, int out, int err)
{
	static char error[65536], output[65536];
	size_t error_length = take(err, error, sizeof(error));
	size_t output_length = take(out, output, sizeof(output));

	if (status == -1)
		return "it hung";
	if (!WIFEXITED(status))
		return "it was ended by a signal";
	status = WEXITSTATUS(status);
	if (status > 2)
		return "a status above 2";
	if (line->surely_wrong && status != 2)
		return "wrong words, and not status 2";
	if (status == 2 && output_length)
		return "wrong words, and output";
	return status ? check_error(error, error_length) : NULL;
}

static void free_line(struct line *line)
{
	for (unsigned int i = 0; i < line->count; i++)
		free(line->word[i]);
}

int main(int argc, char **argv)
{
	struct sigaction action = { .sa_handler = expire };
	int out = memfd_create("out", MFD_CLOEXEC), err = memfd_create("err", MFD_CLOEXEC);
	char *arguments[256 + MAX_WORDS];
	unsigned int seed = time(NULL) ^ getpid() << 16;
	long count, statuses[3] = { 0 };

	if (argc < 3 || argc > 100) {
		fprintf(stderr, "usage: argfuzz COUNT HELPER [ARGUMENT]...\n");
		return 2;
	}
	sigaction(SIGALRM, &action, NULL);
	if (getenv("SEED"))
		seed = strtoul(getenv("SEED"), NULL, 0);
	srandom(seed);
	count = atol(argv[1]);
	memcpy(arguments, argv + 2, (argc - 2) * sizeof(*argv));
	for (long i = 0; i < count; i++) {
		const char *wrong;
		struct line line;
		int status;

		make_line(&line);
		memcpy(arguments + argc - 2, line.word, (line.count + 1) * sizeof(*argv));
		status = run(arguments, out, err);
		wrong = check(&line, status, out, err);
		if (wrong) {
			print_line(&line);
			fprintf(stderr, "argfuzz: command %ld of SEED=%u: %s\n", i, seed, wrong);
			return 1;
		}
		statuses[WEXITSTATUS(status)]++;
		free_line(&line);
	}
	printf("%ld commands: status 0: %ld, 1: %ld, 2: %ld\n", count, statuses[0], statuses[1],
	       statuses[2]);
	return 0;
}
