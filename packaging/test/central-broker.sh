#!/bin/bash
# The broker configuration of docs/central-team.md, literally but for its directories and port: mosquitto starts with it, takes
# a site by its certificate, and refuses who has none.
set -eu
root=$(cd "$(dirname "$0")/../.." && pwd)
work=$(mktemp -d)
broker=""
end() { [ -z "$broker" ] || { kill "$broker" 2>/dev/null && wait "$broker"; } || true; rm -rf "$work"; }
trap end EXIT
port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')

cd "$work"
key() { openssl req "$@" -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes 2>/dev/null; }
key -x509 -days 2 -subj /CN=test-ca -keyout ca.key -out ca.pem
for who in server:localhost dc-1:dc-1; do
    key -subj "/CN=${who#*:}" -keyout "${who%:*}.key" -out request
    printf 'subjectAltName=IP:127.0.0.1\n' >extensions
    openssl x509 -req -in request -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 -extfile extensions \
        -out "${who%:*}.pem" 2>/dev/null
done
cp "$root/Examples/acl/acl" acl
awk '/^```/ { within = !within; next } within && /^listener 8883/ { wanted = 1 } within && wanted; !within && wanted { exit }' \
    "$root/docs/central-team.md" | sed "s#8883#$port 127.0.0.1#; s#/etc/mosquitto#$work#; s#/var/lib/mosquitto#$work#" >mosquitto.conf
[ "$(id -u)" = 0 ] && echo "user root" >>mosquitto.conf
mosquitto -c mosquitto.conf >log 2>&1 &
broker=$!
publish() {
    mosquitto_pub -h 127.0.0.1 -p "$port" --cafile ca.pem -V 5 -q 1 -t waybill/v1/00/acme/dc-1/state -m '{}' "$@" 2>/dev/null
}
for _ in $(seq 50); do
    publish --cert dc-1.pem --key dc-1.key && { accepted=yes; break; }
    kill -0 "$broker" 2>/dev/null || break
    sleep 0.1
done
[ "${accepted:-}" = yes ] || { echo "FAIL the broker of docs/central-team.md"; cat log; exit 1; }
if publish; then echo "FAIL the broker of docs/central-team.md takes who has no certificate"; exit 1; fi
echo "ok   the broker of docs/central-team.md takes a site by its certificate, and nobody without"
