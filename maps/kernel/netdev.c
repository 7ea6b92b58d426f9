// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <linux/genetlink.h>
#include <linux/netlink.h>

#include "kernel/netdev.h"

/* Of <linux/netdev.h>, which Debian 12 does not have. */
#define NETDEV_FAMILY "netdev"
#define NETDEV_CMD_DEV_GET 1
#define NETDEV_A_DEV_IFINDEX 1
#define NETDEV_A_DEV_XDP_FEATURES 3

#define ANSWER_SIZE 8192

struct question {
	struct nlmsghdr header;
	struct genlmsghdr command;
	struct nlattr attribute;
	char value[GENL_NAMSIZ];
};

/* Finds an attribute of the answer's and copies at most `size` bytes of it. */
static int copy_attribute(const char *answer, size_t length, __u16 type, void *value, size_t size)
{
	size_t at = NLMSG_LENGTH(GENL_HDRLEN);
	struct nlattr attribute;

	for (; at + NLA_HDRLEN <= length; at += NLA_ALIGN(attribute.nla_len)) {
		memcpy(&attribute, answer + at, sizeof(attribute));
		if (attribute.nla_len < NLA_HDRLEN || attribute.nla_len > length - at)
			return -EBADMSG;
		if ((attribute.nla_type & NLA_TYPE_MASK) != type)
			continue;
		if (attribute.nla_len < NLA_HDRLEN + size)
			return -EBADMSG;
		memcpy(value, answer + at + NLA_HDRLEN, size);
		return 0;
	}
	return -ENOENT;
}

/* Asks `family` with one attribute, and takes one of the answer. */
static int ask(int netlink, __u16 family, struct question *question, __u16 type, void *value,
	       size_t size)
{
	char answer[ANSWER_SIZE] __attribute__((aligned(4)));
	const struct nlmsghdr *header = (const struct nlmsghdr *)answer;
	ssize_t length;

	question->header.nlmsg_len = NLMSG_LENGTH(GENL_HDRLEN) +
				     NLA_ALIGN(question->attribute.nla_len);
	question->header.nlmsg_type = family;
	question->header.nlmsg_flags = NLM_F_REQUEST;
	question->command.version = 1;
	if (send(netlink, question, question->header.nlmsg_len, 0) < 0)
		return -errno;
	length = recv(netlink, answer, sizeof(answer), 0);
	if (length < 0)
		return -errno;
	if (!NLMSG_OK(header, (size_t)length))
		return -EBADMSG;
	if (header->nlmsg_type == NLMSG_ERROR)
		return ((const struct nlmsgerr *)NLMSG_DATA(header))->error;
	return copy_attribute(answer, header->nlmsg_len, type, value, size);
}

static int find_family(int netlink, __u16 *family)
{
	struct question question = {
		.command.cmd = CTRL_CMD_GETFAMILY,
		.attribute = { NLA_HDRLEN + sizeof(NETDEV_FAMILY), CTRL_ATTR_FAMILY_NAME },
		.value = NETDEV_FAMILY,
	};

	return ask(netlink, GENL_ID_CTRL, &question, CTRL_ATTR_FAMILY_ID, family, sizeof(*family));
}

int netdev_xdp_features(int ifindex, __u64 *features)
{
	int netlink = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_GENERIC), result;
	struct question question = {
		.command.cmd = NETDEV_CMD_DEV_GET,
		.attribute = { NLA_HDRLEN + sizeof(ifindex), NETDEV_A_DEV_IFINDEX },
	};
	__u16 family = 0;

	if (netlink < 0)
		return -errno;
	memcpy(question.value, &ifindex, sizeof(ifindex));
	result = find_family(netlink, &family);
	if (!result)
		result = ask(netlink, family, &question, NETDEV_A_DEV_XDP_FEATURES, features,
			     sizeof(*features));
	close(netlink);
	return result;
}
