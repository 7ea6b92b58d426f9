# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# The virtual machine as the host sees it: start it, run commands in it. To be used in namespaces of
# one's own (see run): what is started here ends with them.

readonly BOOT_SECONDS=180
readonly SILENCE_SECONDS=600 # a guest that prints nothing for so long is stuck
# Fast rather than safe. Another clock than the TSC is a device, and emulated devices are slow. On a
# busy machine the timer's interrupts come too late for the kernel's check of them, which panics.
readonly COMMAND_LINE='console=ttyS0 quiet panic=-1 net.ifnames=0 tsc=reliable mitigations=off'" \
no_timer_check norandmaps init_on_alloc=0 rcupdate.rcu_expedited=1"

die()
{
	echo "vm: $*" >&2
	exit 1
}

# Runs QEMU in the background, and waits until the guest listens for commands.
start_qemu() # KERNEL INITRAMFS COMMAND_LINE OPTION...
{
	rm -f port.in port.out
	mkfifo port.in port.out
	qemu-system-x86_64 -machine pc -cpu qemu64 -m 3G \
		-nodefaults -no-user-config -no-reboot -display none -vga none \
		-kernel "$1"/boot/vmlinuz-* -initrd "$2" -append "$COMMAND_LINE $3" \
		-serial file:console -device virtio-rng-pci \
		-device virtio-serial-pci -chardev pipe,id=port,path=port \
		-device virtserialport,chardev=port,name=xdp-lb "${@:4}" </dev/null &
	qemu=$!
	exec {to_guest}<>port.in {from_guest}<>port.out
	guest_answer "$BOOT_SECONDS"
}

# eth0 has four queues: two that the guest's two processors receive by, two that XDP sends by.
start_guest() # KERNEL INITRAMFS [DISK]
{
	local disk=()

	[ $# = 2 ] || disk=(-drive "file=$3,format=raw,if=virtio,cache=unsafe")
	start_qemu "$1" "$2" "${3:+disk}" -accel tcg,thread=multi -smp 2 "${disk[@]}" \
		-netdev tap,id=net0,ifname=tap0,script=no,downscript=no,queues=4 \
		-device virtio-net-pci,netdev=net0,mq=on,vectors=10,mac=de:ad:be:ef:00:10 \
		-netdev tap,id=net1,ifname=tap1,script=no,downscript=no \
		-device virtio-net-pci,netdev=net1,mac=de:ad:be:ef:00:04 \
		-netdev tap,id=net2,ifname=tap2,script=no,downscript=no \
		-device virtio-net-pci,netdev=net2,mac=de:ad:be:ef:00:05
}

# Copies what the guest prints up to the line with its command's status, which becomes ours.
guest_answer() # SECONDS
{
	local text line='' waited=0

	while [ "$waited" -lt "$1" ]; do
		if ! IFS= read -r -t 1 -u "$from_guest" text; then
			kill -0 "$qemu" 2>/dev/null || break
			line+=$text # a time-out within a line
			waited=$((waited + 1))
			continue
		fi
		line+=$text
		if [[ $line =~ ^(.*)@@\ ([0-9]+)$ ]]; then
			[ -z "${BASH_REMATCH[1]}" ] || printf '%s\n' "${BASH_REMATCH[1]}"
			return "${BASH_REMATCH[2]}"
		fi
		printf '%s\n' "$line"
		line=''
		waited=0
	done
	tail -n 40 console >&2
	die 'the guest is dead or stuck; the end of its console is above'
}

guest() # COMMAND, one line of shell
{
	printf '%s\n' "$*" >&"$to_guest"
	guest_answer "$SILENCE_SECONDS"
}

# The guest goes down by itself, or is taken down; the next one can start.
end_guest()
{
	exec {to_guest}>&- {from_guest}<&-
	for _ in {1..100}; do
		kill -0 "$qemu" 2>/dev/null || break
		sleep 0.1
	done
	kill -KILL "$qemu" 2>/dev/null || true
	wait "$qemu" 2>/dev/null || true
}
