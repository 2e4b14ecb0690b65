#!/bin/busybox sh
# shellcheck shell=dash
# The first program of a machine: finds its disk and its network, then hands over to the system on the disk.
# It does in a tenth of a second what takes a system's own tools two, on a processor that is emulated.
set -eu
PATH=/bin

give_up() {
	echo "local-cloud: $*" >/dev/console
	poweroff -f
}

mount -t devtmpfs dev /dev
mount -t proc proc /proc
# Their names begin with numbers, so that each comes after what it needs.
for module in /modules/*; do insmod "$module"; done

address='' instance=''
read -r words </proc/cmdline
for word in $words; do
	case $word in
	bake_ami.address=*) address=${word#*=} ;;
	bake_ami.instance=*) instance=${word#*=} ;;
	esac
done

ip link set lo up
if [ -n "$address" ]; then
	ip addr add "$address/16" dev eth0
	ip link set eth0 up
	ip route add default via 169.254.0.2
fi

tries=0
until [ -b /dev/vda ]; do
	tries=$((tries + 1))
	[ "$tries" -lt 500 ] || give_up 'there is no disk'
	usleep 10000
done
mount -t ext4 -o rw /dev/vda /root || give_up 'the disk cannot be mounted'

# A machine that starts from an image is not the machine that the image was made of.
before=''
[ ! -f /root/var/lib/local-cloud/instance-id ] || read -r before </root/var/lib/local-cloud/instance-id
[ "$before" = "$instance" ] || : >/root/etc/machine-id

umount /proc
mount --move /dev /root/dev
exec switch_root /root /sbin/init
