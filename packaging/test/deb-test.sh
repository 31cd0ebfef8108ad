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

python3 "$here/../prometheus/check.py"

for tool in mosquitto:mosquitto mosquitto_sub:mosquitto-clients openssl:openssl; do
    command -v "${tool%:*}" >/dev/null 2>&1 || { skip "the installation: ${tool#*:} is not installed (make setup-extras)"; exit 0; }
done
"$here/central-broker.sh"
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
export NEXT="$work/next.deb" WORK="$work/mount" DEB="$deb" HERE="$here"

# This machine's root with a layer over it that is gone afterwards, in a mount namespace of its own; then SCRIPT.
over_own_root() {
    unshare --mount --propagation private sh -eu -c '
        mount -t tmpfs tmpfs "$WORK" -o size=2g
        mkdir "$WORK/upper" "$WORK/overlay" "$WORK/root"
        mount -t overlay overlay -o "lowerdir=/,upperdir=$WORK/upper,workdir=$WORK/overlay" "$WORK/root"
        root=$WORK/root
        mkdir -p "$root/deb-test"
        cp "$DEB" "$root/deb-test/first.deb"
        cp "$NEXT" "$root/deb-test/next.deb"
        cp "$HERE"/*.sh "$HERE/get.py" "$HERE/../../docs/operations.md" "$root/deb-test/"
        cp "$HERE/../debian/waybill.postrm" "$root/deb-test/postrm"
        chmod +x "$root"/deb-test/*.sh "$root/deb-test/postrm"
        '"$1"
}

over_own_root '
    mount -t proc proc "$root/proc"
    mount --bind /dev "$root/dev"
    # No service may be started in there by the packages themselves.
    printf "#!/bin/sh\nexit 101\n" >"$root/usr/sbin/policy-rc.d"
    chmod +x "$root/usr/sbin/policy-rc.d"
    # A loopback of its own: two runs on one machine do not meet at one port.
    timeout 120 unshare --net sh -c "ip link set lo up && exec chroot $root /deb-test/chroot.sh"
' || exit 1

if ! command -v systemd-nspawn >/dev/null 2>&1; then
    skip "the installation under systemd: systemd-container is not installed (make setup-extras)"
    exit 0
fi
over_own_root '
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
TimeoutStartSec=280
UNIT
    mkdir -p "$root/etc/systemd/system/multi-user.target.wants"
    ln -sf /etc/systemd/system/deb-test.service "$root/etc/systemd/system/multi-user.target.wants/"
    ln -sf /lib/systemd/system/multi-user.target "$root/etc/systemd/system/default.target"
    timeout 300 systemd-nspawn --quiet --boot --directory="$root" --register=no --keep-unit --private-network \
        --link-journal=no --console=read-only </dev/null >"$root/deb-test/boot" 2>&1 || code=$?
    cat "$root/deb-test/result" 2>/dev/null || { echo "the container did not boot:"; tail -40 "$root/deb-test/boot"; exit 1; }
    exit "${code:-0}"
' || exit 1
