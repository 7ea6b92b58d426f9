// SPDX-License-Identifier: GPL-2.0
/* metrics: the counters in Prometheus' text format, labelled as node_exporter labels IPVS. */
#include <arpa/inet.h>
#include <stdio.h>

#include "cmd/change.h"
#include "cmd/metrics.h"
#include "lib/text.h"
#include "model/balancer.h"
#include "model/flow_table.h"
#include "model/snapshot.h"

/* All that is shown. */
struct view {
	const struct conf *conf;
	const struct reading *reading;
	__u32 flows;
};

static void begin_metric(const char *name, const char *type, const char *help)
{
	printf("# HELP xdplb_%s %s\n# TYPE xdplb_%s %s\n", name, help, name, type);
}

static void print_service_labels(const struct conf_service *service)
{
	char port[8] = "*";

	if (service->vip.port)
		snprintf(port, sizeof(port), "%u", ntohs(service->vip.port));
	printf("local_address=\"%s\",local_port=\"%s\",proto=\"%s\"",
	       text_of_address(&service->vip.address).s, port,
	       protocol_name(service->vip.protocol));
}

static void print_backend_labels(const struct conf_service *service,
				 const struct conf_backend *backend)
{
	print_service_labels(service);
	printf(",remote_address=\"%s\",remote_port=\"%u\"",
	       text_of_address(&backend->real.address).s, ntohs(backend->real.port));
}

/* What a metric shows of a service, of a backend, and of a verdict. */
typedef __u64 (*service_value)(const struct service_stats *stats);
typedef __u64 (*backend_value)(const struct conf_backend *backend,
			       const struct backend_stats *stats);
typedef __u64 (*verdict_value)(const struct counter *counter);

static __u64 service_packets(const struct service_stats *stats)
{
	return forwarded(stats).packets;
}

static __u64 service_bytes(const struct service_stats *stats)
{
	return forwarded(stats).bytes;
}

static __u64 service_flows(const struct service_stats *stats)
{
	return stats->flows;
}

static __u64 backend_packets(const struct conf_backend *backend, const struct backend_stats *stats)
{
	(void)backend;
	return stats->total.packets;
}

static __u64 backend_bytes(const struct conf_backend *backend, const struct backend_stats *stats)
{
	(void)backend;
	return stats->total.bytes;
}

static __u64 backend_flows(const struct conf_backend *backend, const struct backend_stats *stats)
{
	(void)backend;
	return stats->flows;
}

static __u64 backend_up(const struct conf_backend *backend, const struct backend_stats *stats)
{
	(void)stats;
	return is_healthy(backend);
}

static __u64 backend_weight(const struct conf_backend *backend, const struct backend_stats *stats)
{
	(void)stats;
	return backend->weight;
}

static __u64 verdict_packets(const struct counter *counter)
{
	return counter->packets;
}

static __u64 verdict_bytes(const struct counter *counter)
{
	return counter->bytes;
}

static void show_services_metric(const struct view *view, const char *name, const char *help,
				 service_value value)
{
	begin_metric(name, "counter", help);
	for (unsigned int i = 0; i < view->conf->count; i++) {
		printf("xdplb_%s{", name);
		print_service_labels(&view->conf->services[i]);
		printf("} %llu\n", value(&view->reading->services[i]));
	}
}

static void show_backends_metric(const struct view *view, const char *name, const char *type,
				 const char *help, backend_value value)
{
	const struct backend_stats *stats = view->reading->backends;

	begin_metric(name, type, help);
	for (unsigned int i = 0; i < view->conf->count; i++) {
		const struct conf_service *service = &view->conf->services[i];

		for (unsigned int j = 0; j < service->count; j++) {
			printf("xdplb_%s{", name);
			print_backend_labels(service, &service->backends[j]);
			printf("} %llu\n", value(&service->backends[j], stats++));
		}
	}
}

/* Per service, what was not forwarded, where there was any. */
static void show_refusals_metric(const struct view *view, const char *name, const char *help,
				 verdict_value value)
{
	begin_metric(name, "counter", help);
	for (unsigned int i = 0; i < view->conf->count; i++) {
		const struct counter *counters = view->reading->services[i].verdict;

		for (unsigned int j = 0; j < VERDICTS; j++) {
			if (j == VERDICT_FORWARDED || j == VERDICT_REDIRECTED ||
			    !counters[j].packets)
				continue;
			printf("xdplb_%s{", name);
			print_service_labels(&view->conf->services[i]);
			printf(",action=\"%s\",reason=\"%s\"} %llu\n", action_name(j),
			       reason_name(j), value(&counters[j]));
		}
	}
}

static void show_verdicts_metric(const struct view *view, const char *name, const char *help,
				 verdict_value value)
{
	begin_metric(name, "counter", help);
	for (unsigned int i = 0; i < VERDICTS; i++)
		printf("xdplb_%s{action=\"%s\",reason=\"%s\"} %llu\n", name, action_name(i),
		       reason_name(i), value(&view->reading->total.verdict[i]));
}

static void show_view(const struct view *view)
{
	show_verdicts_metric(view, "packets_total", "Packets seen, by what became of them.",
			     verdict_packets);
	show_verdicts_metric(view, "bytes_total", "Bytes of frames seen, by what became of them.",
			     verdict_bytes);
	show_services_metric(view, "service_packets_total", "Packets forwarded for a service.",
			     service_packets);
	show_services_metric(view, "service_bytes_total",
			     "Bytes of frames forwarded for a service.", service_bytes);
	show_services_metric(view, "service_flows_total", "Flows begun by clients of a service.",
			     service_flows);
	show_refusals_metric(view, "service_refused_packets_total",
			     "Packets to a service that were not forwarded.", verdict_packets);
	show_refusals_metric(view, "service_refused_bytes_total",
			     "Bytes of frames to a service that were not forwarded.",
			     verdict_bytes);
	show_backends_metric(view, "backend_packets_total", "counter",
			     "Packets forwarded to and from a backend.", backend_packets);
	show_backends_metric(view, "backend_bytes_total", "counter",
			     "Bytes of frames forwarded to and from a backend.", backend_bytes);
	show_backends_metric(view, "backend_flows_total", "counter", "Flows begun to a backend.",
			     backend_flows);
	show_backends_metric(view, "backend_up", "gauge",
			     "Whether a backend is up and resolved, and so gets new flows.",
			     backend_up);
	show_backends_metric(view, "backend_weight", "gauge", "Weight of a backend.",
			     backend_weight);
	begin_metric("flows", "gauge", "Living flows in the flow table.");
	printf("xdplb_flows %u\n", view->flows);
	begin_metric("flow_capacity", "gauge", "Flows that the flow table has room for.");
	printf("xdplb_flow_capacity %u\n", FLOW_BUCKETS * FLOW_WAYS);
}

enum status show_metrics(const struct request *request)
{
	struct balancer balancer;
	struct reading reading;
	enum status status;
	struct conf conf;

	(void)request;
	status = open_and_load(&balancer, &conf, false);
	if (status)
		return status;
	status = map_flows(&balancer);
	if (!status)
		status = take_reading(&balancer, conf.services, conf.count, &reading);
	if (!status) {
		struct view view = { &conf, &reading, count_living_flows(&balancer) };

		show_view(&view);
		free_reading(&reading);
	}
	close_and_free(&balancer, &conf);
	return status;
}
