// SPDX-License-Identifier: GPL-2.0
/* verified ID: how many instructions the verifier went through for program ID, and its size. */
#include <linux/bpf.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

static int prog_info(__u32 id, struct bpf_prog_info *info)
{
	union bpf_attr by_id = { .prog_id = id };
	int fd = (int)syscall(SYS_bpf, BPF_PROG_GET_FD_BY_ID, &by_id, sizeof(by_id));
	union bpf_attr by_fd = { .info = { .info_len = sizeof(*info), .info = (__u64)info } };

	if (fd < 0)
		return -1;
	by_fd.info.bpf_fd = (__u32)fd;
	return (int)syscall(SYS_bpf, BPF_OBJ_GET_INFO_BY_FD, &by_fd, sizeof(by_fd));
}

int main(int argc, char **argv)
{
	struct bpf_prog_info info = {};

	if (argc != 2 || prog_info((__u32)strtoul(argv[1], NULL, 10), &info) < 0) {
		fprintf(stderr, "verified: no such program\n");
		return 1;
	}
	printf("%u %u\n", info.verified_insns, info.jited_prog_len);
	return 0;
}
