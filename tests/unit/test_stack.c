// SPDX-License-Identifier: GPL-2.0
/*
 * The stack of the deepest chain of calls in the data path. This kernel's verifier says how much
 * each function has; which calls which is read from the instructions. 6.1 rounds each function up
 * to 32 bytes, later kernels to less, so its sum counts here, whatever kernel this is.
 */
#include <stdlib.h>
#include <string.h>

#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>

#include "check.h"
#include "maps.h"

#define STACK_GOAL 480 /* of 512: whoever changes something has room for one variable */
#define ROUNDED_TO 32
#define FUNCTIONS 128
#define LOG_SIZE (1 << 20)
#define LOOP_WORDS 24 /* that the kernel adds, after its check, to who calls bpf_loop() */
#define LOG_DEPTHS 4 /* BPF_LOG_STATS of the kernel */

static char text[LOG_SIZE];

/* Of one program. */
static struct {
	const struct bpf_insn *code;
	size_t length;
	size_t begins[FUNCTIONS]; /* in instructions, in their order */
	unsigned int depth[FUNCTIONS]; /* bytes */
	const char *name[FUNCTIONS];
	int count;
} program;

static int compare(const void *a, const void *b)
{
	size_t x = *(const size_t *)a, y = *(const size_t *)b;

	return x < y ? -1 : x > y;
}

/* Whether the instruction calls, or hands to a helper that calls, another function. */
static bool is_call(const struct bpf_insn *insn)
{
	return (insn->code == (BPF_JMP | BPF_CALL) && insn->src_reg == BPF_PSEUDO_CALL) ||
	       (insn->code == (BPF_LD | BPF_IMM | BPF_DW) && insn->src_reg == BPF_PSEUDO_FUNC);
}

static bool calls_loop(const struct bpf_insn *insn)
{
	return insn->code == (BPF_JMP | BPF_CALL) && !insn->src_reg && insn->imm == BPF_FUNC_loop;
}

static size_t target_of(size_t at)
{
	return at + 1 + program.code[at].imm;
}

static int function_at(size_t begin)
{
	for (int i = 0; i < program.count; i++) {
		if (program.begins[i] == begin)
			return i;
	}
	return -1;
}

static void find_functions(void)
{
	program.count = 1;
	program.begins[0] = 0;
	for (size_t i = 0; i < program.length && program.count < FUNCTIONS; i++) {
		if (is_call(&program.code[i]) && function_at(target_of(i)) < 0)
			program.begins[program.count++] = target_of(i);
	}
	qsort(program.begins, program.count, sizeof(*program.begins), compare);
}

/* Returns how many functions the verifier has told the depth of. */
static int read_depths(void)
{
	const char *at = strstr(text, "stack depth ");
	int count = 0;

	if (!at)
		return 0;
	at += strlen("stack depth ");
	for (; count < FUNCTIONS; count++) {
		char *end;

		program.depth[count] = strtoul(at, &end, 10);
		if (end == at)
			break;
		at = *end == '+' ? end + 1 : end;
	}
	return count;
}

static void read_names(const struct bpf_object *object, const struct bpf_program *of)
{
	static struct bpf_func_info functions[FUNCTIONS];
	struct bpf_prog_info info = {
		.nr_func_info = FUNCTIONS,
		.func_info_rec_size = sizeof(*functions),
		.func_info = (__u64)functions,
	};
	const struct btf *btf = bpf_object__btf(object);
	__u32 size = sizeof(info);

	if (bpf_obj_get_info_by_fd(bpf_program__fd(of), &info, &size))
		return;
	for (__u32 i = 0; i < info.nr_func_info && i < FUNCTIONS; i++) {
		const struct btf_type *type = btf__type_by_id(btf, functions[i].type_id);

		program.name[i] = type ? btf__name_by_offset(btf, type->name_off) : NULL;
	}
}

/* Bytes of the deepest chain from a function on; `chain` gets what it is made of. */
static unsigned int depth_from(int function, char *chain, size_t room)
{
	size_t end = function + 1 < program.count ? program.begins[function + 1] : program.length;
	unsigned int own = program.depth[function], deepest = 0;
	bool has_loop = false;
	char below[1000], most[1000] = "";

	for (size_t i = program.begins[function]; i < end; i++) {
		unsigned int depth;

		has_loop = has_loop || calls_loop(&program.code[i]);
		if (!is_call(&program.code[i]))
			continue;
		depth = depth_from(function_at(target_of(i)), below, sizeof(below));
		if (depth <= deepest)
			continue;
		deepest = depth;
		memcpy(most, below, sizeof(most));
	}
	own -= has_loop ? LOOP_WORDS : 0;
	snprintf(chain, room, " %s %u%.900s", program.name[function] ? program.name[function] : "?",
		 own, most);
	return ((own ? own : 1) + ROUNDED_TO - 1) / ROUNDED_TO * ROUNDED_TO + deepest;
}

static void test_program(const struct bpf_object *object, const struct bpf_program *of)
{
	char chain[2000] = "";
	unsigned int depth;
	int told;

	program.code = bpf_program__insns(of);
	program.length = bpf_program__insn_cnt(of);
	find_functions();
	read_names(object, of);
	told = read_depths();
	check("stack: the verifier tells that of each function", told == program.count,
	      "%d functions, it tells of %d", program.count, told);
	if (told != program.count)
		return;
	depth = depth_from(0, chain, sizeof(chain));
	check("stack: there is room in the deepest chain of calls", depth <= STACK_GOAL,
	      "%u bytes, not %u:%s", depth, STACK_GOAL, chain);
	printf("# %u bytes:%s\n", depth, chain);
}

int main(void)
{
	struct bpf_object *object = open_built("xdp_lb.bpf.o");
	struct bpf_program *program_of;
	struct bpf_map *map = NULL;

	program_of = object ? bpf_object__find_program_by_name(object, "xdp_lb_frags") : NULL;
	if (!program_of) {
		check("open the object", false, "no xdp_lb.bpf.o");
		return 1;
	}
	while ((map = bpf_object__next_map(object, map)))
		bpf_map__set_pin_path(map, NULL);
	bpf_program__set_log_level(program_of, LOG_DEPTHS);
	bpf_program__set_log_buf(program_of, text, sizeof(text));
	if (bpf_object__load(object))
		check("load the object", false, "%s", text);
	else
		test_program(object, program_of);
	bpf_object__close(object);
	return failures != 0;
}
