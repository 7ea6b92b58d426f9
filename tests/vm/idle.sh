# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# A guest whose clock skips the time in which it is idle, so that months pass in minutes. QEMU counts
# instructions for time, 2^7 ns each, and does not sleep while there are none. What its kernel does
# every second or so, though nothing happens, is switched off: an hour passes in 0.2 to 0.4 s then,
# and in 5 s otherwise.

readonly IDLE_COMMAND_LINE='psi=0 cgroup_disable=memory nowatchdog'
readonly IDLE_SETTINGS='vm.stat_interval=100000 vm.dirty_writeback_centisecs=0'"\
 vm.compaction_proactiveness=0 kernel.hung_task_timeout_secs=0"

start_idle_guest() # KERNEL INITRAMFS
{
	start_qemu "$1" "$2" "$IDLE_COMMAND_LINE" -accel tcg,thread=single \
		-icount shift=7,sleep=off -smp 1
	guest "sysctl -qw $IDLE_SETTINGS"
}

check_months()
{
	start_idle_guest "$KERNEL" initramfs
	check "months${LONG:+ in full}" guest "LONG=${LONG-} tests/vm/months.sh 2>&1"
	end_guest
}
