# What the installation tests share. Sourced by those that run within the container or the changed root.
failed=0

check() { # WORDS COMMAND...
    local words=$1
    shift
    if "$@" >/deb-test/last 2>&1; then
        echo "ok   $words"
    else
        echo "FAIL $words"
        sed 's/^/       /' /deb-test/last | tail -20
        failed=1
    fi
}

within() { # SECONDS COMMAND...
    local end=$((SECONDS + $1))
    shift
    while ! "$@"; do
        [ $SECONDS -lt $end ] || return 1
        sleep 0.2
    done
}

header() { echo "txn_no;code;date;time;item;whse;bin;batch;qty;unit;order_no;text"; }
lines() { for n in $(seq "$1" "$2"); do echo "TXN-$n;RC;20261123;091405;1001;W1;B1;;1;EA;SO-1;x"; done; }

# Reads those lines.
moves_source() {
    cat <<'CONF'
[[source]]
name = "moves"
path = "/srv/wms/moves.csv"
format = { type = "csv", delimiter = ";", header = true, encoding = "cp1252" }
[[source.event]]
type = "stock.received"
id = "txn_no"
sku = "item"
quantity = "decimal(qty, ',')"
location = "whse || '-' || bin"
occurred_at = "local_time(date || time, 'yyyyMMddHHmmss')"
CONF
}

# The lines of FILE, each a message as mosquitto_sub prints it with %J; without the empty ones of doctor.
told() { [ "$(grep -vc '"payload":null' "${2:-/deb-test/heard}")" -ge "$1" ]; }

# Distinct events, by id, of what was heard.
distinct() {
    python3 - "$1" <<'PY'
import json
import sys
told = set()
for line in open(sys.argv[1]):
    payload = json.loads(line)["payload"]
    for event in payload if isinstance(payload, list) else [payload] if payload else []:
        if event["type"].startswith("stock."):
            told.add(event["id"])
print(len(told))
PY
}

# Nothing of the package is left, but its user.
nothing_left() {
    ! ls -d /etc/waybill /var/lib/waybill /run/waybill /usr/share/doc/waybill /usr/bin/waybill 2>/dev/null | grep .
}
