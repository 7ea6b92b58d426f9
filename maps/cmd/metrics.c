// SPDX-License-Identifier: GPL-2.0
/* metrics: the counters in Prometheus' text format, labelled as node_exporter labels IPVS. */
#include <arpa/inet.h>
#include <stddef.h>
#include <stdio.h>

#include "cmd/metrics.h"
#include "lib/text.h"
#include "model/check_address.h"
#include "model/fingerprint.h"
#include "model/flow_table.h"
#include "model/snapshot.h"

/* What there may be to show of a service or a backend. */
struct values {
	__u64 packets, bytes, flows, is_up, weight, is_ok, is_failing, is_panicking;
	__u64 live, closing, half_open, draining;
};

static __u64 member(const void *values, size_t offset)
{
	return *(const __u64 *)((const char *)values + offset);
}

/* What metrics are of, and by what their samples are labelled. */
enum scope {
	OF_VERDICTS,
	OF_CAUSES, /* of the slow path */
	OF_SERVICES,
	OF_REFUSALS, /* verdicts of a service other than forwarded */
	OF_BACKENDS,
	OF_SOURCES,
};

static const struct metric {
	enum scope scope;
	size_t value; /* offset in struct values, or struct counter */
	const char *name, *type, *help;
} metrics[] = {
	{ OF_VERDICTS, offsetof(struct counter, packets), "packets_total", "counter",
	  "Packets seen, by what became of them." },
	{ OF_VERDICTS, offsetof(struct counter, bytes), "bytes_total", "counter",
	  "Bytes of frames seen, by what became of them." },
	{ OF_CAUSES, 0, "slow_path_packets_total", "counter",
	  "Packets that took the slow path, by cause." },
	{ OF_SERVICES, offsetof(struct values, packets), "service_packets_total", "counter",
	  "Packets forwarded for a service." },
	{ OF_SERVICES, offsetof(struct values, bytes), "service_bytes_total", "counter",
	  "Bytes of frames forwarded for a service." },
	{ OF_SERVICES, offsetof(struct values, flows), "service_flows_total", "counter",
	  "Flows begun by clients of a service." },
	{ OF_REFUSALS, offsetof(struct counter, packets), "service_refused_packets_total",
	  "counter", "Packets to a service that were not forwarded." },
	{ OF_REFUSALS, offsetof(struct counter, bytes), "service_refused_bytes_total", "counter",
	  "Bytes of frames to a service that were not forwarded." },
	{ OF_BACKENDS, offsetof(struct values, packets), "backend_packets_total", "counter",
	  "Packets forwarded to and from a backend." },
	{ OF_BACKENDS, offsetof(struct values, bytes), "backend_bytes_total", "counter",
	  "Bytes of frames forwarded to and from a backend." },
	{ OF_BACKENDS, offsetof(struct values, flows), "backend_flows_total", "counter",
	  "Flows begun to a backend." },
	{ OF_BACKENDS, offsetof(struct values, is_up), "backend_up", "gauge",
	  "Whether a backend gets new flows." },
	{ OF_BACKENDS, offsetof(struct values, is_ok), "backend_ok", "gauge",
	  "Whether its checker found a backend well." },
	{ OF_BACKENDS, offsetof(struct values, is_failing), "backend_failing", "gauge",
	  "Whether its checker found that a backend fails." },
	{ OF_SERVICES, offsetof(struct values, is_panicking), "service_panic", "gauge",
	  "Whether so many backends of a service fail that checks are not believed." },
	{ OF_BACKENDS, offsetof(struct values, weight), "backend_weight", "gauge",
	  "Weight of a backend." },
	{ OF_BACKENDS, offsetof(struct values, live), "backend_live_flows", "gauge",
	  "Living flows of a backend." },
	{ OF_BACKENDS, offsetof(struct values, closing), "backend_closing_flows", "gauge",
	  "Living flows of a backend that both sides have ended, or that were reset." },
	{ OF_BACKENDS, offsetof(struct values, half_open), "backend_half_open_flows", "gauge",
	  "Flows that a backend has not answered yet." },
	{ OF_BACKENDS, offsetof(struct values, draining), "backend_draining_flows", "gauge",
	  "Living flows of a backend that gets no new ones." },
	{ OF_SOURCES, offsetof(struct values, live), "source_live_flows", "gauge",
	  "Living flows of a source of the pool." },
	{ OF_SOURCES, offsetof(struct values, closing), "source_closing_flows", "gauge",
	  "Living flows of a source of the pool that both sides have ended, or that were reset." },
	{ OF_SOURCES, offsetof(struct values, half_open), "source_half_open_flows", "gauge",
	  "Flows of a source of the pool that no backend has answered yet." },
	{ OF_SOURCES, offsetof(struct values, draining), "source_draining_flows", "gauge",
	  "Living flows of a source of the pool that gets no new ones." },
};

static void print_head(const char *name, const char *type, const char *help)
{
	printf("# HELP xdplb_%s %s\n# TYPE xdplb_%s %s\n", name, help, name, type);
}

void print_gauge(const char *name, const char *help, __u64 value)
{
	print_head(name, "gauge", help);
	printf("xdplb_%s %llu\n", name, value);
}

/* The begin of a sample's line, whose labels begin with those of a service. */
static void print_service(const struct metric *metric, const struct config_service *service)
{
	char port[8] = "*";

	if (service->vip.port)
		snprintf(port, sizeof(port), "%u", ntohs(service->vip.port));
	printf("xdplb_%s{local_address=\"%s\",local_port=\"%s\",proto=\"%s\"", metric->name,
	       text_of_address(&service->vip.address).s, port,
	       protocol_name(service->vip.protocol));
}

static void show_verdicts(const struct metric *metric, const struct reading *reading)
{
	for (unsigned int i = 0; i < VERDICTS; i++)
		printf("xdplb_%s{action=\"%s\",reason=\"%s\"} %llu\n", metric->name, action_name(i),
		       reason_name(i), member(&reading->total.verdict[i], metric->value));
}

static void show_causes(const struct metric *metric, const struct reading *reading)
{
	for (unsigned int i = 0; i < SLOW_CAUSES; i++)
		printf("xdplb_%s{cause=\"%s\"} %llu\n", metric->name, slow_name(i),
		       reading->slow.packets[i]);
}

static void show_service(const struct metric *metric, const struct config_service *service,
			 const struct service_stats *stats)
{
	struct counter sum = forwarded(stats);
	struct values values = {
		.packets = sum.packets,
		.bytes = sum.bytes,
		.flows = stats->flows,
		.is_panicking = service->is_panicking,
	};

	print_service(metric, service);
	printf("} %llu\n", member(&values, metric->value));
}

/* What was not forwarded, where there was any. */
static void show_refusals(const struct metric *metric, const struct config_service *service,
			  const struct counter *counters)
{
	for (unsigned int i = 0; i < VERDICTS; i++) {
		if (is_forwarding(i) || !counters[i].packets)
			continue;
		print_service(metric, service);
		printf(",action=\"%s\",reason=\"%s\"} %llu\n", action_name(i), reason_name(i),
		       member(&counters[i], metric->value));
	}
}

static void set_flows(struct values *values, const struct flow_count *count, bool drains)
{
	values->live = count->live;
	values->closing = count->closing;
	values->half_open = count->half_open;
	values->draining = drains ? count->live : 0;
}

static void show_sources(const struct metric *metric, const struct configuration *config,
			 const struct flow_counts *flows)
{
	for_each_source(source, config) {
		struct values values = { 0 };

		set_flows(&values, &flows->sources[source->number], source->state != STATE_UP);
		printf("xdplb_%s{source_address=\"%s\"} %llu\n", metric->name,
		       text_of_address(&source->self.address).s, member(&values, metric->value));
	}
}

static void show_backends(const struct metric *metric, const struct config_service *service,
			  const struct backend_stats *stats, const struct flow_counts *flows)
{
	for (unsigned int i = 0; i < service->count; i++, stats++) {
		const struct config_backend *backend = &service->backends[i];
		struct values values = {
			.packets = stats->total.packets,
			.bytes = stats->total.bytes,
			.flows = stats->flows,
			.is_up = backend->is_eligible,
			.weight = backend->weight,
			.is_ok = backend->health == HEALTH_OK,
			.is_failing = backend->health == HEALTH_FAILING,
		};

		set_flows(&values, &flows->backends[backend->number], !backend->is_eligible);
		print_service(metric, service);
		printf(",remote_address=\"%s\",remote_port=\"%u\"} %llu\n",
		       text_of_address(&backend->real.address).s, ntohs(backend->real.port),
		       member(&values, metric->value));
	}
}

static void show_metric(const struct metric *metric, const struct configuration *config,
			const struct reading *reading)
{
	const struct backend_stats *backends = reading->backends;

	print_head(metric->name, metric->type, metric->help);
	if (metric->scope == OF_VERDICTS)
		show_verdicts(metric, reading);
	if (metric->scope == OF_CAUSES)
		show_causes(metric, reading);
	if (metric->scope == OF_SOURCES)
		show_sources(metric, config, reading->flows);
	for (unsigned int i = 0; i < config->count; i++) {
		const struct config_service *service = &config->services[i];

		if (metric->scope == OF_SERVICES)
			show_service(metric, service, &reading->services[i]);
		if (metric->scope == OF_REFUSALS)
			show_refusals(metric, service, reading->services[i].verdict);
		if (metric->scope == OF_BACKENDS)
			show_backends(metric, service, backends, reading->flows);
		backends += service->count;
	}
}

static void print_fingerprint(const struct configuration *config)
{
	struct fingerprint fingerprint = fingerprint_of(config);

	print_head("fingerprint_info", "gauge",
		   "Digests of the configuration, and of it with what is up: see xdp-lb(8).");
	printf("xdplb_fingerprint_info{configuration=\"%s\",live=\"%s\"} 1\n",
	       fingerprint.configuration, fingerprint.live);
}

enum status show_metrics(struct view *view, const struct request *request)
{
	struct reading reading;
	enum status status = read_counters(&view->balancer, view->services, view->count, &reading);
	__u32 age;

	(void)request;
	if (status)
		return status;
	for (unsigned int i = 0; i < sizeof(metrics) / sizeof(*metrics); i++)
		show_metric(&metrics[i], &view->config, &reading);
	print_gauge("flows", "Living flows in the flow table.", reading.flows->all.live);
	print_gauge("flow_capacity", "Flows that the flow table has room for.", FLOWS);
	print_fingerprint(&view->config);
	print_head("watch_age_seconds", "gauge",
		   "Seconds since xdp-lb watch was last alive, and so the age of health.");
	if (watch_age(&view->balancer, &age))
		printf("xdplb_watch_age_seconds %u\n", age);
	free_reading(&reading);
	return DONE;
}
