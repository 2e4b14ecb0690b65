#!/bin/sh
# Turns a fresh Debian root into the disk, the kernel and the initrd of a base image. mmdebstrap calls it as a hook:
# outside the root, as its owner.
#
# Arguments: the root; the architecture as Debian names it; the size of the disk in bytes.
# The directory of this file is the guest directory. The results are put into the root as /out/{disk.qcow2,vmlinuz,initrd}.
set -eu
root=$1
architecture=$2
size=$3
guest=$(dirname "$0")

in_root() { chroot "$root" "$@"; }

# The kernel comes from its package but is not installed: no boot loader, no hooks, and no upgrade that would part
# the modules on the disk from the kernel outside.
get_kernel() {
	package=$(in_root apt-cache depends "linux-image-cloud-$architecture" | awk '$1 == "Depends:" { print $2; exit }')
	mkdir -p "$root/kernel"
	(cd "$root/kernel" && in_root sh -c "cd /kernel && apt-get download -qq -o APT::Sandbox::User=root $package")
	dpkg-deb -x "$root"/kernel/*.deb "$root/kernel/tree"
	version=$(ls "$root/kernel/tree/lib/modules")
	mkdir -p "$root/usr/lib/modules"
	mv "$root/kernel/tree/lib/modules/$version" "$root/usr/lib/modules/"
	mv "$root/kernel/tree/boot/vmlinuz-$version" "$root/out/vmlinuz"
	rm -rf "$root/kernel"
	in_root depmod "$version"
	in_root kmod static-nodes --format=tmpfiles --output=/usr/lib/tmpfiles.d/static-nodes.conf 2>/dev/null
}

make_initrd() {
	tree=$root/initrd
	mkdir -p "$tree/bin" "$tree/modules" "$tree/proc" "$tree/dev" "$tree/root"
	cp "$root/bin/busybox" "$tree/bin/"
	for applet in sh mount umount insmod ip usleep switch_root poweroff; do ln -s busybox "$tree/bin/$applet"; done
	number=10
	for module in virtio_pci virtio_blk virtio_net button evdev; do
		for file in $(in_root modprobe -S "$version" --show-depends "$module" | awk '$1 == "insmod" { print $2 }'); do
			name=$(basename "$file")
			[ -z "$(find "$tree/modules" -name "*-$name")" ] || continue
			cp "$root/$file" "$tree/modules/$number-$name"
			number=$((number + 1))
		done
	done
	cp "$guest/initrd-init.sh" "$tree/init"
	chmod 755 "$tree/init"
	# Not compressed: reading it costs less than unpacking it.
	in_root sh -c 'cd /initrd && find . | busybox cpio -o -H newc >/out/initrd 2>/dev/null'
	rm -rf "$tree"
}

# What a server that lives for hours has no use for, each some tenths of a second of every boot.
mask_units() {
	for unit in apt-daily.timer apt-daily-upgrade.timer dpkg-db-backup.timer e2scrub_all.timer e2scrub_reap.service \
		fstrim.timer getty@tty1.service dev-hugepages.mount dev-mqueue.mount kmod-static-nodes.service \
		proc-sys-fs-binfmt_misc.automount sys-fs-fuse-connections.mount sys-kernel-config.mount \
		sys-kernel-debug.mount sys-kernel-tracing.mount systemd-ask-password-console.path \
		systemd-ask-password-wall.path systemd-binfmt.service systemd-pcrphase-sysinit.service \
		systemd-pcrphase.service systemd-pstore.service systemd-random-seed.service systemd-remount-fs.service systemd-repart.service \
		systemd-update-utmp-runlevel.service modprobe@configfs.service modprobe@dm_mod.service \
		modprobe@drm.service modprobe@efi_pstore.service modprobe@fuse.service modprobe@loop.service; do
		ln -sf /dev/null "$root/etc/systemd/system/$unit"
	done
	mkdir -p "$root/etc/systemd/system-generators"
	for name in cryptsetup debug getty gpt-auto hibernate-resume integritysetup rc-local run system-update veritysetup; do
		ln -sf /dev/null "$root/etc/systemd/system-generators/systemd-$name-generator"
	done
}

configure() {
	in_root useradd --create-home --shell /bin/bash admin
	mkdir -m 700 "$root/home/admin/.ssh"
	in_root chown admin:admin /home/admin/.ssh
	(cd "$guest/root" && tar -cf - .) | tar -C "$root" --no-same-owner -xf -
	chmod 440 "$root/etc/sudoers.d/local-cloud"
	for unit in local-cloud-first-boot local-cloud-boot-commands local-cloud-user-data; do
		ln -s "/etc/systemd/system/$unit.service" "$root/etc/systemd/system/multi-user.target.wants/"
	done
	ln -sf /lib/systemd/system/multi-user.target "$root/etc/systemd/system/default.target"
	mask_units
	echo 'nameserver 169.254.0.3' >"$root/etc/resolv.conf"
	echo localhost >"$root/etc/hostname"
	# The root is mounted when systemd starts; modules come as they are needed.
	rm -f "$root/etc/fstab" "$root/etc/modules-load.d/modules.conf"
	mkdir -p "$root/var/lib/local-cloud"
	echo $((size / 512)) >"$root/var/lib/local-cloud/sectors"
}

# Nothing in an image may be the same on two machines. The package lists stay: they spare each machine their download.
clean() {
	rm -f "$root"/etc/ssh/ssh_host_* "$root"/var/cache/apt/archives/*.deb "$root"/var/log/*.log "$root"/var/log/apt/*
	rm -f "$root/var/lib/dbus/machine-id" "$root/var/lib/systemd/random-seed"
	: >"$root/etc/machine-id"
	# systemd compares their times with that of /usr, and would go through its first-boot work.
	touch "$root/etc/.updated" "$root/var/.updated"
}

make_disk() {
	disk=$(mktemp)
	truncate -s "$size" "$disk"
	# Written aside first: the tree must not hold its own image.
	mkdir "$disk.out"
	mv "$root/out/vmlinuz" "$root/out/initrd" "$disk.out/"
	rmdir "$root/out"
	# Another view of the root, without what is mounted in it (/proc, /sys).
	mkdir "$disk.view"
	mount --bind "$root" "$disk.view"
	mke2fs -q -t ext4 -L root -E lazy_itable_init=1 -d "$disk.view" "$disk"
	umount "$disk.view"
	rmdir "$disk.view"
	qemu-img convert -f raw -O qcow2 "$disk" "$disk.out/disk.qcow2"
	mkdir "$root/out"
	mv "$disk.out"/* "$root/out/"
	rmdir "$disk.out"
	rm -f "$disk"
}

mkdir "$root/out"
get_kernel
make_initrd
configure
clean
make_disk
