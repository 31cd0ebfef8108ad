#!/bin/sh
# Installs, with apt, the Debian packages that product and tests need and that are missing; with "bench" also the
# peers that are measured, with "package" what builds the package, with "extras" those that only the packaging and the
# sources of later parts are tested with.
set -eu

packages="libsqlite3-dev libmosquitto-dev libssl-dev zlib1g-dev pkg-config mosquitto tzdata python3 python3-pip"
[ "${1:-}" = bench ] && packages="$packages mosquitto-clients"
[ "${1:-}" = package ] && packages="$packages debhelper dpkg-dev lintian man-db"
[ "${1:-}" = extras ] && packages="$packages debhelper lintian dpkg-dev man-db mosquitto-clients openssl systemd-container \
    chromium chromium-driver prometheus unixodbc-dev odbc-postgresql odbc-mariadb libsqliteodbc tdsodbc postgresql \
    mariadb-server librabbitmq-dev rabbitmq-server"
missing=""
for package in $packages; do
    state=$(dpkg-query -W -f='${db:Status-Status}' "$package" 2>/dev/null || true)
    [ "$state" = installed ] || missing="$missing $package"
done
# What the tests of the documents and of the Python example need stands beside the build, not in the system.
python_packages() {
    here=$(cd "$(dirname "$0")/.." && pwd)
    [ -d "$here/.build/python-packages/paho" ] && [ -d "$here/.build/python-packages/jsonschema" ] && return 0
    python3 -m pip install --quiet --disable-pip-version-check --target "$here/.build/python-packages" \
        paho-mqtt==2.1.0 jsonschema PyYAML 2>/dev/null \
        || echo "setup: pip cannot install paho-mqtt, jsonschema and PyYAML; the tests that need them are skipped" >&2
}
if [ -z "$missing" ]; then
    python_packages
    exit 0
fi

if ! command -v apt-get >/dev/null 2>&1; then
    echo "setup: missing:$missing" >&2
    echo "       apt-get is not on this machine, so these cannot be installed by name here." >&2
    echo "       Install the same libraries with this system's own package manager, then try again." >&2
    exit 1
fi
sudo=""
[ "$(id -u)" = 0 ] || sudo=sudo
echo "setup: installing$missing"
export DEBIAN_FRONTEND=noninteractive
$sudo apt-get update -qq
# Tests and the demo start their own broker: Debian's service must not be started by the installation.
policy=/usr/sbin/policy-rc.d
if [ -z "$sudo" ] && [ ! -e "$policy" ]; then
    printf '#!/bin/sh\nexit 101\n' >"$policy"
    chmod +x "$policy"
    trap 'rm -f "$policy"' EXIT
fi
$sudo apt-get install -y -qq --no-install-recommends $missing
python_packages
