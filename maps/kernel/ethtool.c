// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <linux/ethtool.h>
#include <linux/sockios.h>

#include "kernel/ethtool.h"

int ethtool_open(void)
{
	int ethtool = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	return ethtool < 0 ? -errno : ethtool;
}

static int ask(int ethtool, const char *device, void *command)
{
	struct ifreq request = { .ifr_data = command };

	strncpy(request.ifr_name, device, sizeof(request.ifr_name) - 1);
	return ioctl(ethtool, SIOCETHTOOL, &request) ? -errno : 0;
}

int ethtool_driver(int ethtool, const char *device, char *name)
{
	struct ethtool_drvinfo info = { .cmd = ETHTOOL_GDRVINFO };
	int result = ask(ethtool, device, &info);

	_Static_assert(sizeof(info.driver) == DRIVER_NAME, "copied whole");
	memcpy(name, info.driver, DRIVER_NAME);
	name[DRIVER_NAME - 1] = '\0';
	return result;
}

static int get_value(int ethtool, const char *device, __u32 command, __u32 mask)
{
	struct ethtool_value value = { .cmd = command };
	int result = ask(ethtool, device, &value);

	return result ? result : !!(value.data & mask);
}

int ethtool_tx_checksum(int ethtool, const char *device)
{
	return get_value(ethtool, device, ETHTOOL_GTXCSUM, ~0U);
}

int ethtool_rx_vlan(int ethtool, const char *device)
{
	return get_value(ethtool, device, ETHTOOL_GFLAGS, ETH_FLAG_RXVLAN);
}

int ethtool_tx_vlan(int ethtool, const char *device)
{
	return get_value(ethtool, device, ETHTOOL_GFLAGS, ETH_FLAG_TXVLAN);
}

int ethtool_channels(int ethtool, const char *device, struct channels *channels)
{
	struct ethtool_channels answer = { .cmd = ETHTOOL_GCHANNELS };
	int result = ask(ethtool, device, &answer);

	*channels = (struct channels){
		.rx = answer.rx_count,
		.tx = answer.tx_count,
		.combined = answer.combined_count,
		.max_rx = answer.max_rx,
		.max_tx = answer.max_tx,
		.max_combined = answer.max_combined,
	};
	return result;
}

static int count_counters(int ethtool, const char *device)
{
	struct {
		struct ethtool_sset_info info;
		__u32 count;
	} set = { .info = { .cmd = ETHTOOL_GSSET_INFO, .sset_mask = 1 << ETH_SS_STATS } };
	int result = ask(ethtool, device, &set);

	if (result)
		return result;
	return set.info.sset_mask ? (int)set.count : 0;
}

/* The kernel writes as many as there are at that time, to be told by the count it returns. */
static int read_counters(int ethtool, const char *device, struct ethtool_gstrings *names,
			 struct ethtool_stats *values, struct device_counter *counters, int count)
{
	int result;

	names->cmd = ETHTOOL_GSTRINGS;
	names->string_set = ETH_SS_STATS;
	names->len = count;
	values->cmd = ETHTOOL_GSTATS;
	values->n_stats = count;
	result = ask(ethtool, device, names);
	if (!result)
		result = ask(ethtool, device, values);
	if (result)
		return result;
	for (int i = 0; i < count; i++) {
		memcpy(counters[i].name, names->data + i * ETH_GSTRING_LEN, ETH_GSTRING_LEN);
		counters[i].name[ETH_GSTRING_LEN] = '\0';
		counters[i].value = values->data[i];
	}
	return count;
}

int ethtool_counters(int ethtool, const char *device, struct device_counter **counters)
{
	int count = count_counters(ethtool, device), room = 2 * count;
	struct ethtool_gstrings *names;
	struct ethtool_stats *values;

	*counters = NULL;
	if (count <= 0)
		return count;
	/* Twice the room: a driver may have got more queues since it was asked how many. */
	names = calloc(1, sizeof(*names) + room * ETH_GSTRING_LEN);
	values = calloc(1, sizeof(*values) + room * sizeof(__u64));
	*counters = calloc(count, sizeof(**counters));
	if (names && values && *counters)
		count = read_counters(ethtool, device, names, values, *counters, count);
	else
		count = -ENOMEM;
	free(names);
	free(values);
	if (count < 0) {
		free(*counters);
		*counters = NULL;
	}
	return count;
}
