#!/bin/bash
# Follows docs/operations.md, "Install" and "First configuration", word for word: its own fenced blocks are run, with three
# things put in place of the example's: the package's file, the broker's address, and a yes for apt. Sourced by inside.sh.

echo "== by the words of docs/operations.md"
sed -n '/^## Install$/,/^## Every day$/p' operations.md \
    | awk '/^ *```/ { inside = !inside; next } inside { sub(/^ ? ? ?/, ""); print }' \
    | sed -e 's|\./waybill_.*_amd64\.deb|/deb-test/first.deb|' -e 's|mqtts://mq1\.acme\.example:8883|mqtt://127.0.0.1:1884|' \
    >words.run
# What a site has before: an export, its group, a broker with this site's user, and the password that the centre sent.
groupadd --force wms
mkdir -p /srv/wms/export broker
{ header; lines 1 20; } >/srv/wms/export/moves.csv
chgrp -R wms /srv/wms/export
chmod 750 /srv/wms/export
chmod 640 /srv/wms/export/moves.csv
echo secret >/root/mqtt.password
mosquitto_passwd -c -b broker/passwords dc-1 secret 2>/dev/null
chmod 644 broker/passwords
printf 'listener 1884 127.0.0.1\nallow_anonymous false\nuser root\npassword_file /deb-test/broker/passwords\n' >broker/words.conf
mosquitto -c broker/words.conf >/deb-test/broker/words.log 2>&1 &
words_broker=$!
within 10 bash -c 'exec 3<>/dev/tcp/127.0.0.1/1884' 2>/dev/null
: >heard-words
mosquitto_sub -h 127.0.0.1 -p 1884 -u dc-1 -P secret -q 1 -t 'waybill/v1/+/acme/dc-1/ev/#' -F '%J' >>heard-words 2>&1 &
echo 'APT::Get::Assume-Yes "true";' >apt.conf
begun=$SECONDS
check "its commands run, each with success" env APT_CONFIG=/deb-test/apt.conf bash -e -o pipefail words.run
check "the first events arrive" within 60 told 20 /deb-test/heard-words
took=$((SECONDS - begun))
echo "     from apt install to the first events: $took s"
check "within 60 s" [ "$took" -le 60 ]
if [ $failed != 0 ]; then journalctl -u waybill -n 30 --no-pager; fi
check "and the package goes again, data and all" apt-get -qq -y purge waybill
check "where a filesystem is mounted purge empties it" bash -c '
    mkdir -p /var/lib/waybill && mount -t tmpfs tmpfs /var/lib/waybill && touch /var/lib/waybill/outbox.sqlite &&
    /deb-test/postrm purge && [ -z "$(ls -A /var/lib/waybill)" ]; code=$?; umount /var/lib/waybill; rmdir /var/lib/waybill; exit $code'
rm -rf /etc/systemd/system/waybill.service.d
systemctl daemon-reload
kill "$words_broker"
