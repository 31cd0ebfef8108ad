#!/bin/sh
# Tries the package: packaging/test/deb-test.sh DEB. lintian first, then the whole life of an installation under a real
# systemd, in a container over an overlay of this machine's own root; nothing of it stays. What cannot be tried here is said.
set -eu
deb=$(realpath "$1")
here=$(cd "$(dirname "$0")" && pwd)

skip() { echo "skipped: $*"; }

if command -v lintian >/dev/null 2>&1; then
    lintian --allow-root --fail-on error,warning "$deb"
    echo "ok   lintian"
else
    skip "lintian is not installed (make setup-extras)"
fi

for tool in systemd-nspawn:systemd-container mosquitto:mosquitto mosquitto_sub:mosquitto-clients; do
    command -v "${tool%:*}" >/dev/null 2>&1 || { skip "the installation: ${tool#*:} is not installed (make setup-extras)"; exit 0; }
done
if [ "$(id -u)" != 0 ] || ! unshare --mount --propagation private true 2>/dev/null; then
    skip "the installation: no privileges for a container"
    exit 0
fi

# The next version of the same package, for the upgrade.
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
dpkg-deb -R "$deb" "$work/next"
sed -i 's/^Version: .*/&+1/' "$work/next/DEBIAN/control"
dpkg-deb --root-owner-group -b "$work/next" "$work/next.deb" >/dev/null

mkdir -p "$work/mount"
NEXT=$work/next.deb WORK=$work/mount DEB=$deb HERE=$here unshare --mount --propagation private sh -eu -c '
    mount -t tmpfs tmpfs "$WORK" -o size=2g
    mkdir "$WORK/upper" "$WORK/overlay" "$WORK/root"
    mount -t overlay overlay -o "lowerdir=/,upperdir=$WORK/upper,workdir=$WORK/overlay" "$WORK/root"
    root=$WORK/root
    mkdir -p "$root/deb-test"
    cp "$DEB" "$root/deb-test/first.deb"
    cp "$HERE/inside.sh" "$root/deb-test/"
    chmod +x "$root/deb-test/inside.sh"
    # Nothing of what this machine runs by itself starts in there, and no policy forbids services.
    rm -f "$root/usr/sbin/policy-rc.d" "$root/etc/systemd/system/multi-user.target.wants"/* "$root/etc/machine-id"
    : >"$root/etc/machine-id"
    ln -sf /dev/null "$root/etc/systemd/system/mosquitto.service"
    cat >"$root/etc/systemd/system/deb-test.service" <<UNIT
[Unit]
Description=The installation test
After=basic.target dbus.service
SuccessAction=exit-force
FailureAction=exit-force
[Service]
Type=oneshot
ExecStart=/deb-test/inside.sh
StandardOutput=file:/deb-test/result
StandardError=inherit
TimeoutStartSec=240
UNIT
    mkdir -p "$root/etc/systemd/system/multi-user.target.wants"
    ln -sf /etc/systemd/system/deb-test.service "$root/etc/systemd/system/multi-user.target.wants/"
    ln -sf /lib/systemd/system/multi-user.target "$root/etc/systemd/system/default.target"
    if [ -e "$NEXT" ]; then cp "$NEXT" "$root/deb-test/next.deb"; fi
    timeout 300 systemd-nspawn --quiet --boot --directory="$root" --register=no --keep-unit --private-network \
        --link-journal=no --console=read-only </dev/null >"$root/deb-test/boot" 2>&1 || code=$?
    cat "$root/deb-test/result" 2>/dev/null || { echo "the container did not boot:"; tail -40 "$root/deb-test/boot"; exit 1; }
    exit "${code:-0}"
' || exit 1
