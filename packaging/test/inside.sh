#!/bin/bash
# The life of an installation, as site IT and a technician live it. Runs within the container of deb-test.sh.
set -u
cd /deb-test
failed=0

. ./lib.sh

main_pid() { systemctl show waybill -p MainPID --value; }
# Never process 0, which would be this very group.
end_with() {
    local pid
    pid=$(main_pid)
    [ "$pid" -gt 1 ] && kill "$1" "$pid"
}

is() { [ "$(systemctl show waybill -p "$1" --value)" = "$2" ]; }
status() { runuser -u tech -- waybill status "$@"; }

. ./by-the-words.sh

echo "== install"
check "the package installs" dpkg -i first.deb
check "it is enabled" systemctl is-enabled waybill
check "and not started" bash -c '! systemctl is-active waybill'
check "credentials are root's alone" bash -c '[ "$(stat -c %a:%U /etc/waybill/credentials)" = 700:root ]'
check "the manual is there" bash -c 'man -w waybill && man -w waybill.conf'

echo "== configure"
useradd --create-home --groups waybill tech
mkdir -p /srv/wms /deb-test/broker
{ header; lines 1 100; } >/srv/wms/moves.csv
umask 077
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 30 -subj /CN=test-ca \
    -keyout broker/ca.key -out broker/ca.crt >/dev/null 2>&1
for who in 127.0.0.1 dc-1; do
    openssl req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj "/CN=$who" -keyout "broker/$who.key" \
        -out "broker/$who.csr" >/dev/null 2>&1
    printf 'subjectAltName=IP:127.0.0.1\n' >broker/extensions
    openssl x509 -req -in "broker/$who.csr" -CA broker/ca.crt -CAkey broker/ca.key -CAcreateserial -days 30 \
        -extfile broker/extensions -out "broker/$who.crt" >/dev/null 2>&1
done
umask 022
cat >broker/mosquitto.conf <<CONF
per_listener_settings true
user root
persistence true
persistence_location /deb-test/broker/
listener 8883 127.0.0.1
cafile /deb-test/broker/ca.crt
certfile /deb-test/broker/127.0.0.1.crt
keyfile /deb-test/broker/127.0.0.1.key
require_certificate true
use_identity_as_username true
listener 1883 127.0.0.1
allow_anonymous true
CONF
start_broker() { mosquitto -c /deb-test/broker/mosquitto.conf >/deb-test/broker/log 2>&1 & broker=$!; }
start_broker
install -m 600 broker/dc-1.key /etc/waybill/credentials/mqtt.key
install -m 644 broker/ca.crt broker/dc-1.crt /etc/waybill/
cat >/etc/waybill/conf.d/site.conf <<CONF
[site]
tenant = "acme"
site = "dc-1"
[mqtt]
brokers = ["mqtts://127.0.0.1:8883"]
ca_file = "/etc/waybill/ca.crt"
cert_file = "/etc/waybill/dc-1.crt"
backoff = { min = "100ms", max = "500ms" }
CONF
moves_source >/etc/waybill/conf.d/source.conf
echo "# the site's own words" >>/etc/waybill/agent.conf
check "the configuration is right" env CREDENTIALS_DIRECTORY=/nowhere waybill check --config /etc/waybill/agent.conf
: >heard
mosquitto_sub -h 127.0.0.1 -p 1883 -q 1 -i hearer -c -t 'waybill/v1/+/acme/dc-1/ev/#' -F '%J' >>heard 2>/deb-test/sub.log &
sleep 1

echo "== run"
check "it starts and says so" systemctl start waybill
check "its events arrive, over TLS with the client's certificate, under the sandbox" within 20 told 100
check "a member of the group reads the status" status
check "who is no member is told so, exit 4" bash -c 'runuser -u nobody -- waybill status; [ $? = 4 ]'
check "waybill without a command is its status" runuser -u tech -- waybill
check "doctor finds nothing wrong, under the sandbox, without sudo" runuser -u tech -- waybill doctor
check "sources are paused and resumed under the unix user's name" bash -c \
    'runuser -u tech -- waybill sources pause moves --yes && runuser -u tech -- waybill sources resume moves --yes &&
     runuser -u tech -- waybill audit | grep -q "tech (.*) *resume"'
check "the page is served at the socket" bash -c 'python3 /deb-test/get.py / | grep -q "<h1>acme/dc-1</h1>"'
check "a repair is audited under the unix user's name" bash -c \
    'runuser -u tech -- waybill outbox reset --yes && runuser -u tech -- waybill audit | grep -q "tech ("'
check "the resident size is small" bash -c \
    "[ \"\$(awk '/VmRSS/{print \$2}' /proc/$(main_pid)/status)\" -lt 65536 ]"
check "the sandbox scores at most 1.5" bash -c \
    'systemd-analyze security --offline=true --threshold=15 /lib/systemd/system/waybill.service'

[ $failed = 0 ] || journalctl -u waybill -n 30 --no-pager
echo "== trouble"
end_with -9
lines 101 200 >>/srv/wms/moves.csv
check "killed with -9 it comes back, and loses nothing" within 30 told 200
check "systemd counts one restart" is NRestarts 1
mkdir -p /etc/systemd/system/waybill.service.d
printf '[Service]\nWatchdogSec=3\n' >/etc/systemd/system/waybill.service.d/watchdog.conf
systemctl daemon-reload
systemctl restart waybill
pid=$(main_pid)
end_with -STOP
check "stuck, the watchdog ends it" within 30 bash -c "! kill -0 $pid 2>/dev/null"
check "and it runs again" within 30 is ActiveState active
rm -r /etc/systemd/system/waybill.service.d
systemctl daemon-reload
echo 'nonsense = 1' >/etc/waybill/conf.d/zz.conf
check "a reload with a wrong configuration is refused" bash -c '! systemctl reload waybill'
check "and it runs on" is ActiveState active
systemctl restart waybill 2>/dev/null
check "a start with a wrong one fails for good" within 10 is ActiveState failed
rm /etc/waybill/conf.d/zz.conf
check "the right one starts" systemctl restart waybill
check "and reloads" systemctl reload waybill

echo "== upgrade"
kill "$broker"
wait "$broker" 2>/dev/null
lines 201 1200 >>/srv/wms/moves.csv
check "a thousand events wait" within 30 bash -c 'waybill status --json | grep -q "\"backlog\":1000"'
cp /etc/waybill/agent.conf /deb-test/edited
check "the next version installs" dpkg -i --force-confdef next.deb
check "the edited configuration is kept" cmp /etc/waybill/agent.conf /deb-test/edited
check "it runs again" within 20 is ActiveState active
start_broker
check "all that waited arrives" within 60 told 1200
check "each line once by its id: 1200" [ "$(distinct heard)" = 1200 ]

echo "== remove"
check "the package goes" dpkg -r waybill
check "and its agent with it" bash -c '! pgrep -x waybill'
check "configuration and outbox stay" bash -c '[ -f /etc/waybill/agent.conf ] && [ -f /var/lib/waybill/outbox.sqlite ]'
check "purging takes the rest" dpkg -P waybill
check "nothing is left" nothing_left
check "but the user" id waybill
exit $failed
