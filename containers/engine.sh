# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# A container engine for the demo and its test, in namespaces made for it (scripts/isolated.sh, and a
# network namespace), with all that it stores in memory: to be sourced after scripts/lib.sh.

readonly CGROUP=xdp-lb-demo # of the containers; compose.yaml names it
readonly ENGINE_DIR=/run/engine

has_engine() # ENGINE
{
	case $1 in
	podman) [ -n "$(command -v podman)" ] && [ -n "$(command -v runc)" ] ;;
	docker) [ -n "$(command -v docker)" ] && [ -n "$(command -v dockerd)" ] ;;
	*) usage_error "bad ENGINE '$1': expected podman or docker" ;;
	esac
}

# The one that ENGINE says, or that is here.
find_engine()
{
	local each

	for each in ${ENGINE:-podman docker}; do
		! has_engine "$each" || {
			echo "$each"
			return
		}
	done
	die "no ${ENGINE:-podman (with runc) and no docker} here: 'make deps FOR=demo-containers'" \
		"installs podman"
}

start_podman()
{
	cat >"$ENGINE_DIR/containers.conf" <<-END
		[containers]
		default_ulimits = ["nofile=10000:10000", "nproc=10000:10000"]
		[engine]
		cgroup_manager = "cgroupfs"
		events_logger = "file"
		runtime = "runc"
	END
	cat >"$ENGINE_DIR/storage.conf" <<-END
		[storage]
		driver = "overlay"
		graphroot = "$ENGINE_DIR/storage"
		runroot = "$ENGINE_DIR/containers"
	END
	export CONTAINERS_CONF=$ENGINE_DIR/containers.conf CONTAINERS_STORAGE_CONF=$ENGINE_DIR/storage.conf
	podman system service --time 0 "unix://$ENGINE_DIR/socket" 2>>"$ENGINE_DIR/log" &
}

start_docker()
{
	dockerd --host "unix://$ENGINE_DIR/socket" --data-root "$ENGINE_DIR/storage" \
		--exec-root "$ENGINE_DIR/docker" --pidfile "$ENGINE_DIR/docker.pid" 2>>"$ENGINE_DIR/log" &
}

# What is written below a directory goes to memory, in this mount namespace.
keep_in_memory() # DIR
{
	local upper=$ENGINE_DIR/overlay$1

	mkdir -p "$upper/files" "$upper/work"
	mount -t overlay -o "lowerdir=$1,upperdir=$upper/files,workdir=$upper/work" overlay "$1"
}

# Engines write where no option says so: leases of addresses, keys. The engine is podman or docker.
start_engine() # ENGINE
{
	local dir

	mkdir $ENGINE_DIR
	for dir in /etc /opt /var/lib; do
		keep_in_memory $dir
	done
	ip link set dev lo up
	"start_$1"
	export DOCKER_HOST=unix://$ENGINE_DIR/socket TMPDIR=$ENGINE_DIR
	keep_trying curl -s --unix-socket "$ENGINE_DIR/socket" http://engine/_ping
}

keep_trying() # COMMAND..., for half a minute
{
	local try

	for try in {1..300}; do
		! "$@" >"$ENGINE_DIR/out" 2>&1 || return 0
		sleep 0.1
	done
	die "in vain waited for: $* ($try tries)"
}

# Cgroups are the machine's. The engine's processes have ended with their namespace, and some may be on
# their way out yet.
remove_cgroups()
{
	local try

	for try in {1..50}; do
		find /sys/fs/cgroup -depth -type d -path "*/$CGROUP*" -exec rmdir {} + 2>/dev/null ||
			true
		[ -n "$(find /sys/fs/cgroup -type d -name "$CGROUP*")" ] || return 0
		sleep 0.1
	done
	echo "cgroups named $CGROUP are left after $try tries" >&2
}
