# SPDX-License-Identifier: GPL-2.0
# The targets that matter: all, deps, demo, demo-containers, demo-fleet, attach, detach, test and
# check; bench, attack, vmtest, fuzz, deb, install, uninstall, clean. V=1 shows the commands.

PREFIX = /usr/local
UNITDIR = $(PREFIX)/lib/systemd/system
CC = gcc
CLANG = clang
CFLAGS = -O2 -g
WARNINGS = -Wall -Wextra -Wshadow -Werror

# Limits of the maps may be raised: make CPPFLAGS=-DMAX_SERVICES=4096
INCLUDES = -I. -Imaps
# What is built does not depend on where.
HERE = -ffile-prefix-map=$(CURDIR)=.
ALL_CFLAGS = -std=gnu11 $(WARNINGS) $(INCLUDES) $(HERE) $(CPPFLAGS) $(CFLAGS) -MMD -MP
# clang does not know where this machine's <asm/types.h> is when it compiles for BPF.
MULTIARCH := $(shell $(CC) -dumpmachine)
BPF_CFLAGS = -O2 -g -target bpf -mcpu=v3 -Wall -Wextra -Wno-unused-parameter -Werror $(INCLUDES) \
	$(HERE) -D__$(shell uname -m)__ $(CPPFLAGS) -idirafter /usr/include/$(MULTIARCH) \
	-MMD -MP -MF build/$(@:build/%=%).d

BPF_OBJECTS := $(patsubst %.c,%.o,$(wildcard *.bpf.c))
HELPER_OBJECTS := $(patsubst %.c,build/%.o,$(wildcard maps/*/*.c))
HELPER_PARTS := $(filter-out build/maps/cmd/main.o,$(HELPER_OBJECTS))
TOOLS := $(patsubst %.c,build/%,$(wildcard tests/tools/*.c))
UNITS := $(notdir $(wildcard scripts/systemd/*.service))
FLEET_FILES := $(addprefix scripts/,bird/balancer.conf bird/router.conf bird/nexthops.sh \
	keepalived/checks.conf keepalived/keepalived.conf keepalived/release.sh \
	keepalived/xdp-lb.conf)
UNIT_TESTS := $(patsubst %.c,build/%,$(wildcard tests/unit/test_*.c))
UNIT_PARTS := $(patsubst %.c,build/%.o,$(filter-out tests/unit/test_%,$(wildcard tests/unit/*.c)))
LAB_OBJECTS := $(patsubst %.c,build/%.o,$(wildcard tests/lab/*.bpf.c))
SOCKMAP := $(addprefix build/scripts/sockmap/,sockmap.bpf.o probe)
PACKET_TESTS := $(patsubst %.c,build/%,$(wildcard tests/packet/test_*.c))
PACKET_PARTS := $(patsubst %.c,build/%.o,$(filter-out tests/packet/test_%,\
	$(wildcard tests/packet/*.c)))
INSTALLED_SCRIPTS := $(wildcard $(addprefix scripts/,attach.sh attach-sock.sh \
	backend.sh bpftrace.sh bytes.sh detach.sh detach-sock.sh etcd.sh health.sh \
	import-ipvs.sh lib.sh run.sh sock.sh trace-drops.sh trace-xdp-errors.sh unit.sh))

EXAMPLES = $(PREFIX)/share/doc/xdp-lb/examples
STATUS_PAGE := $(addprefix scripts/status/,index.html status.css status.js)

ifneq ($(V),1)
Q = @
say = @printf '  %-8s%s\n' $(1) $@;
endif

all: $(BPF_OBJECTS) xdp-lb

xdp-lb: $(HELPER_OBJECTS)
	$(call say,LD) $(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^

%.bpf.o: %.bpf.c build/flags
	$(call say,BPF) $(CLANG) $(BPF_CFLAGS) -c -o $@ $<

build/%.bpf.o: %.bpf.c build/flags
	$(Q)mkdir -p $(@D)
	$(call say,BPF) $(CLANG) $(BPF_CFLAGS) -c -o $@ $<

build/%.o: %.c build/flags
	$(Q)mkdir -p $(@D)
	$(call say,CC) $(CC) $(ALL_CFLAGS) -c -o $@ $<

# Changed flags build all anew.
build/flags: FORCE
	$(Q)mkdir -p build
	$(Q)echo '$(CC) $(CLANG) $(CPPFLAGS) $(CFLAGS)' | cmp -s - $@ || \
		echo '$(CC) $(CLANG) $(CPPFLAGS) $(CFLAGS)' >$@

tools: $(TOOLS)

tests: $(LAB_OBJECTS) $(TOOLS) $(UNIT_TESTS) $(PACKET_TESTS) $(SOCKMAP)

# The example of scripts/sockmap.
sockmap: $(SOCKMAP)

$(TOOLS) build/scripts/sockmap/probe: %: %.o
$(UNIT_TESTS): %: %.o $(UNIT_PARTS) $(HELPER_PARTS)
$(UNIT_TESTS) $(PACKET_TESTS): LDLIBS += -lxxhash
$(UNIT_TESTS): LDLIBS += -lbpf
$(PACKET_TESTS): %: %.o $(PACKET_PARTS)
$(TOOLS) $(UNIT_TESTS) $(PACKET_TESTS) build/scripts/sockmap/probe:
	$(call say,LD) $(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(LDLIBS)

# The packages that a target needs; all, if none is named: make deps FOR=demo
deps:
	$(Q)scripts/deps.sh $(FOR)

deps-%: FORCE
	$(Q)scripts/deps.sh $*

demo: deps-demo
	$(Q)$(MAKE) --no-print-directory all
	$(Q)scripts/demo.sh

demo-containers: deps-demo-containers
	$(Q)$(MAKE) --no-print-directory all
	$(Q)containers/demo.sh

demo-fleet: deps-demo-fleet
	$(Q)$(MAKE) --no-print-directory all build/tests/tools/steady
	$(Q)scripts/demo-fleet.sh

attach: $(BPF_OBJECTS)
	$(Q)scripts/attach.sh $(if $(filter-out 0,$(FRESH)),-f) $(if $(NETNS),-n '$(NETNS)') \
		$(if $(MODE),-m '$(MODE)') '$(DEV)'

detach:
	$(Q)scripts/detach.sh $(if $(NETNS),-n '$(NETNS)') '$(DEV)'

# The programs for sockets, see scripts/attach-sock.md.
.PHONY: attach-sock detach-sock
attach-sock: all
	$(Q)scripts/attach-sock.sh $(if $(NETNS),-n '$(NETNS)') $(if $(DEV),-d '$(DEV)') '$(CGROUP)'

detach-sock:
	$(Q)scripts/detach-sock.sh '$(CGROUP)'

test: deps-test
	$(Q)$(MAKE) --no-print-directory all tests
	$(Q)tests/run

check: deps-check
	$(Q)scripts/check.sh

bench: deps-bench
	$(Q)$(MAKE) --no-print-directory all
	$(Q)tests/bench/run

# What the attacks that the project knows do to honest clients; LONG=1: a minute each, not 10 s.
attack: deps-attack
	$(Q)$(MAKE) --no-print-directory all tools
	$(Q)tests/attack/run

vmtest: deps-vmtest
	$(Q)$(MAKE) --no-print-directory all tests
	$(Q)tests/vm/run

fuzz: deps-fuzz
	$(Q)$(MAKE) --no-print-directory all tests
	$(Q)tests/fuzz/run

deb: deps-deb
	$(Q)scripts/deb.sh

# Files that name /usr/local are installed with the paths that they have.
install_text = sed 's|/usr/local|$(PREFIX)|g' $(1) | install -D -m 644 /dev/stdin $(DESTDIR)$(2)

install: all
	install -d $(DESTDIR)$(PREFIX)/sbin $(DESTDIR)$(PREFIX)/lib/xdp-lb \
		$(DESTDIR)/etc/xdp-lb/checks.d
	install -m 755 xdp-lb $(DESTDIR)$(PREFIX)/sbin
	install -m 644 $(BPF_OBJECTS) $(DESTDIR)$(PREFIX)/lib/xdp-lb
	install -m 755 $(INSTALLED_SCRIPTS) $(DESTDIR)$(PREFIX)/lib/xdp-lb
	chmod 644 $(addprefix $(DESTDIR)$(PREFIX)/lib/xdp-lb/,lib.sh sock.sh bpftrace.sh)
	$(call install_text,maps/man/xdp-lb.8,$(PREFIX)/share/man/man8/xdp-lb.8)
	$(foreach unit,$(UNITS),\
		$(call install_text,scripts/systemd/$(unit),$(UNITDIR)/$(unit)) &&) :
	$(foreach file,$(FLEET_FILES),\
		$(call install_text,$(file),$(PREFIX)/lib/xdp-lb/$(file:scripts/%=%)) &&) :
	chmod 755 $(DESTDIR)$(PREFIX)/lib/xdp-lb/bird/nexthops.sh \
		$(DESTDIR)$(PREFIX)/lib/xdp-lb/keepalived/release.sh
	install -D -m 644 maps/man/xdp-lb.bash \
		$(DESTDIR)$(PREFIX)/share/bash-completion/completions/xdp-lb
	install -D -m 644 -t $(DESTDIR)$(EXAMPLES) \
		scripts/grafana-dashboard.json scripts/prometheus-alerts.yml
	install -D -m 644 -t $(DESTDIR)$(PREFIX)/share/xdp-lb/status $(STATUS_PAGE)
	$(call install_text,scripts/status/nginx.conf,$(EXAMPLES)/nginx-status.conf)
	[ -e $(DESTDIR)/etc/xdp-lb/xdp-lb.conf ] || \
		install -m 644 scripts/xdp-lb.conf $(DESTDIR)/etc/xdp-lb

# A configuration stays, if it is more than what was installed.
uninstall:
	rm -rf $(DESTDIR)$(PREFIX)/lib/xdp-lb $(DESTDIR)$(PREFIX)/share/doc/xdp-lb \
		$(DESTDIR)$(PREFIX)/share/xdp-lb
	rm -f $(DESTDIR)$(PREFIX)/sbin/xdp-lb $(DESTDIR)$(PREFIX)/share/man/man8/xdp-lb.8 \
		$(DESTDIR)$(PREFIX)/share/bash-completion/completions/xdp-lb \
		$(addprefix $(DESTDIR)$(UNITDIR)/,$(UNITS))
	! cmp -s scripts/xdp-lb.conf $(DESTDIR)/etc/xdp-lb/xdp-lb.conf || \
		rm $(DESTDIR)/etc/xdp-lb/xdp-lb.conf
	[ ! -d $(DESTDIR)/etc/xdp-lb ] || rmdir --ignore-fail-on-non-empty \
		$(DESTDIR)/etc/xdp-lb/checks.d $(DESTDIR)/etc/xdp-lb

clean:
	rm -rf build
	rm -f $(BPF_OBJECTS) xdp-lb

-include $(shell find build -type f -name '*.d' 2>/dev/null)

.DELETE_ON_ERROR:
.SECONDARY:
FORCE:
.PHONY: all tests tools sockmap deps demo demo-containers demo-fleet attach detach test check \
	bench attack vmtest fuzz deb install uninstall clean FORCE
