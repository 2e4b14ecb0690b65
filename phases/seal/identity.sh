# shellcheck shell=sh
# What makes a machine this machine. Patterns for bin/seal.

remove '/etc/ssh/ssh_host_*'
# Emptied, not removed: a missing one would make systemd preset all units at the next boot, as on a first boot.
empty /etc/machine-id
# A link to the file above on most systems, and then harmless.
if [ ! -h /var/lib/dbus/machine-id ]; then remove /var/lib/dbus/machine-id; fi
remove /etc/hostname /etc/udev/rules.d/70-persistent-net.rules
remove /var/lib/systemd/random-seed /var/lib/random-seed /boot/loader/random-seed /boot/efi/loader/random-seed
remove /var/lib/systemd/credential.secret
# DHCP leases, and the key that NetworkManager's addresses are made from.
remove '/var/lib/dhcp/*.leases' '/var/lib/dhclient/*.lease*' '/var/lib/NetworkManager/*.lease' \
    /var/lib/NetworkManager/secret_key
# cloud-init takes the next machine for a new instance; its scripts/ and seed/ belong to the image.
remove /var/lib/cloud/data /var/lib/cloud/instance /var/lib/cloud/instances /var/lib/cloud/sem
# What stands in for it on a machine of the local cloud.
remove '/var/lib/local-cloud/user-data*' '/var/lib/local-cloud/boot-commands*'
# The Systems Manager agent's registration.
remove '/var/lib/amazon/ssm/i-*' /var/lib/amazon/ssm/Vault
