#!/bin/bash
# The life of an installation where no systemd runs: the agent is started by hand, as the service's user. Runs in a changed root.
set -u
cd /deb-test
. ./lib.sh

# Without systemd nobody hands it credentials, and root's own it may not read.
start() { runuser -u waybill -- env CREDENTIALS_DIRECTORY=/nowhere waybill run >>/deb-test/agent.log 2>&1 & within 20 waybill status --json >/dev/null 2>&1 || true; }
stop() { pid=$(waybill status --json | sed 's/.*"pid":\([0-9]*\).*/\1/'); [ "$pid" -gt 1 ] && kill "$pid" && within 20 bash -c "! kill -0 $pid 2>/dev/null"; }
broker() { mosquitto -c /deb-test/broker.conf >/deb-test/broker.log 2>&1 & broker=$!; within 10 bash -c 'exec 3<>/dev/tcp/127.0.0.1/18831' 2>/dev/null; }
listen() { mosquitto_sub -h 127.0.0.1 -p 18831 -q 1 -i hearer -c -t 'waybill/v1/+/acme/dc-1/ev/#' -F '%J' >>heard 2>/dev/null & listener=$!; }

echo "== without systemd"
check "the package installs" dpkg -i first.deb
check "the user is there" id waybill
mkdir -p /srv/wms
{ header; lines 1 50; } >/srv/wms/moves.csv
install -d -o waybill -g waybill /run/waybill /var/lib/waybill
cat >/etc/waybill/conf.d/site.conf <<'CONF'
[site]
tenant = "acme"
site = "dc-1"
[mqtt]
brokers = ["mqtt://127.0.0.1:18831"]
backoff = { min = "100ms", max = "500ms" }
CONF
moves_source >/etc/waybill/conf.d/source.conf
printf 'listener 18831 127.0.0.1\nallow_anonymous true\nuser root\npersistence true\npersistence_location /deb-test/\n' >broker.conf
: >heard
broker
listen
start
check "started by hand it publishes" within 20 told 50
kill "$broker"
wait "$broker" 2>/dev/null
lines 51 550 >>/srv/wms/moves.csv
check "five hundred events wait" within 30 bash -c 'waybill status --json | grep -q "\"backlog\":500"'
check "it stops" stop
echo "# the site's own words" >>/etc/waybill/agent.conf
cp /etc/waybill/agent.conf edited
check "the next version installs" dpkg -i --force-confdef next.deb
check "the edited configuration is kept" cmp /etc/waybill/agent.conf edited
broker
start
check "all that waited arrives" within 30 told 550
check "each once by its id" [ "$(distinct heard)" = 550 ]
check "it stops again" stop
check "the package goes" dpkg -r waybill
check "configuration and outbox stay" [ -f /etc/waybill/agent.conf -a -f /var/lib/waybill/outbox.sqlite ]
check "installed again it finds both" bash -c 'dpkg -i next.deb && grep -q "own words" /etc/waybill/agent.conf'
rm -rf /run/waybill
check "purging takes the rest" dpkg -P waybill
check "nothing is left" nothing_left
[ $failed = 0 ] || tail -20 /deb-test/agent.log
kill "$broker" "$listener" 2>/dev/null
exit $failed
