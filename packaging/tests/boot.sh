#!/bin/sh
# Boots a real systemd over a copy of this machine's root and lets it run a script as its only service.
# Nothing of the machine is changed: what is written goes into memory, and is gone at the end.
#
#   unshare --mount --propagation private --pid --fork --kill-child --mount-proc \
#       sh boot.sh FOLDER PACKAGE SCRIPT
#
# FOLDER is empty; what the script printed is FOLDER/out.log in the end. The exit code is the script's,
# or 77 when this machine boots no container.
set -eu
folder=$1 package=$2 script=$3
# The longest that all of it may take, in seconds.
longest=240

mount -t tmpfs -o mode=755 tmpfs "$folder" || exit 77
mkdir "$folder/upper" "$folder/work" "$folder/root"
mount -t overlay -o "lowerdir=/,upperdir=$folder/upper,workdir=$folder/work" overlay "$folder/root" || exit 77
root=$folder/root
# Whatever the machine has enabled is not started: nothing asks for multi-user.target.
boot() {
    timeout -k 30 "$1" systemd-nspawn --directory="$root" --boot --register=no --keep-unit \
        --private-network --link-journal=no --machine=elsinore-units --console=pipe --quiet \
        -- systemd.unit=elsinore-units.service </dev/null >"$root/console.log" 2>&1
}
unit() {
    cat >"$root/etc/systemd/system/elsinore-units.service" <<END
[Unit]
Description=The test of the units
SuccessAction=exit
FailureAction=exit
[Service]
Type=oneshot
TimeoutStartSec=$longest
StandardOutput=file:/out.log
StandardError=inherit
ExecStart=$1
END
}
unit /bin/true
if ! boot 60; then
    cat "$root/console.log" >&2
    exit 77
fi
cp "$package" "$root/elsinore.deb"
cp "$script" "$root/units.sh"
unit '/bin/sh /units.sh'
status=0
boot "$longest" || status=$?
cat "$root/out.log" || cat "$root/console.log"
exit "$status"
