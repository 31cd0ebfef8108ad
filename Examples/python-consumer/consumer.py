#!/usr/bin/env python3
"""A small consumer of one Waybill site, written from docs/protocol.md alone.

It keeps offsets, stock and the ids of events in one SQLite file, prints each event once as a line of JSON, fills gaps by
replay, resyncs the stock by snapshots and sends receipts. `Core` knows no network: messages in, requests out.
"""
import argparse
import hashlib
import json
import sqlite3
import sys
import time
import uuid
import zlib
from datetime import datetime, timedelta, timezone

LANES = ("critical", "standard", "bulk")
BUCKETS = ("unrestricted", "quarantined", "damaged", "blocked", "allocated", "in_transit")
MOST_PARKED = 10_000
REPLAY_SLICE = 100_000
PATIENCE = 15.0

SCHEMA = """
CREATE TABLE IF NOT EXISTS lanes(epoch TEXT, lane TEXT, last INTEGER, goal INTEGER, PRIMARY KEY(epoch, lane));
CREATE TABLE IF NOT EXISTS ids(epoch TEXT, lane TEXT, sequence INTEGER, id TEXT, record TEXT, PRIMARY KEY(epoch, lane, sequence));
CREATE INDEX IF NOT EXISTS ids_by_id ON ids(id);
CREATE TABLE IF NOT EXISTS stock(sku TEXT, location TEXT, lot TEXT, owner TEXT, epoch TEXT, version INTEGER, line TEXT,
    touched INTEGER, PRIMARY KEY(sku, location, lot, owner));
CREATE TABLE IF NOT EXISTS lost(epoch TEXT, lane TEXT, first INTEGER, last INTEGER);
"""


def shard(tenant, site):
    return "%02x" % (zlib.crc32(f"{tenant}/{site}".encode()) & 0xFF)


def key_bytes(key):
    return "\x1f".join(key).encode()


def leaf_of(key):
    return int.from_bytes(hashlib.sha256(key_bytes(key)).digest()[:2], "big")


def line_hash(key, line):
    figures = [str(line["version"])] + [line.get(bucket) or "-" for bucket in BUCKETS]
    text = "\x1f".join(list(key) + figures)
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:16], "big")


def tree_root(lines):
    """The root of the hash tree over {key: line}."""
    leaves = [0] * 65536
    for key, line in lines.items():
        leaves[leaf_of(key)] = (leaves[leaf_of(key)] + line_hash(key, line)) % (1 << 128)
    level = [leaf.to_bytes(16, "big") for leaf in leaves]
    while len(level) > 1:
        level = [hashlib.sha256(b"".join(level[i:i + 16])).digest() for i in range(0, len(level), 16)]
    return level[0].hex()


class Core:
    """The consumer's state and decisions. `send(verb, members)` publishes a request and gives back its cmd_id."""

    def __init__(self, path, send, output=print, now=time.monotonic):
        self.db = sqlite3.connect(path, isolation_level=None)
        self.db.executescript("PRAGMA journal_mode = WAL;" + SCHEMA)
        self.send, self.output, self.now = send, output, now
        row = self.db.execute("SELECT max(epoch) FROM lanes").fetchone()
        self.epoch = row[0]
        self.parked = {lane: {} for lane in LANES}
        self.meta = None
        self.beacon = None
        self.tail = {}
        self.asked = {}  # what -> (cmd_id, deadline)
        self.scopes = []
        self.snapshot = None
        self.mark = self.db.execute("SELECT coalesce(max(touched), 0) FROM stock").fetchone()[0]
        self.clock_offset = timedelta(0)
        self.receipted = {}
        self.denied = None
        self.is_new = False  # the site was met just now: what it keeps is asked for without waiting for a second beacon

    # offsets

    def last(self, lane, epoch=None):
        row = self.db.execute("SELECT last FROM lanes WHERE epoch = ? AND lane = ?", (epoch or self.epoch, lane)).fetchone()
        return row[0] if row else 0

    def set_last(self, lane, last, epoch=None):
        self.db.execute("INSERT INTO lanes VALUES (?, ?, ?, NULL) ON CONFLICT DO UPDATE SET last = excluded.last",
                        (epoch or self.epoch, lane, last))

    def goals(self):
        """Ended epochs of which something may still come: (epoch, lane, last, goal)."""
        return self.db.execute("SELECT epoch, lane, last, goal FROM lanes WHERE epoch < ? AND goal > last", (self.epoch,)).fetchall()

    # messages

    def take(self, part, payload, retained=False):
        """`part`: the topic behind the site, such as `ev/bulk`. One message is one transaction."""
        if not payload:  # a probe of the access list
            return
        try:
            message = json.loads(payload)
        except ValueError:
            return self.complain("no JSON on " + part)
        printed = []
        self.db.execute("BEGIN")
        try:
            if part.startswith("ev/"):
                for event in message if isinstance(message, list) else [message]:
                    self.take_event(event, printed)
            elif part == "beacon":
                self.take_beacon(message, retained)
            elif part == "meta":
                self.meta = message
                self.enter(message["epoch"])
                self.learn_ends()
            elif part.startswith("rep/"):
                self.take_answer(message, payload, printed)
            self.db.execute("COMMIT")
        except (KeyError, TypeError, ValueError) as error:
            self.db.execute("ROLLBACK")
            return self.complain(f"{part}: {error!r}")
        for event in printed:
            self.output(json.dumps(event, separators=(",", ":"), ensure_ascii=False))

    def complain(self, words):
        print("consumer: " + words, file=sys.stderr)

    def take_answer(self, message, payload, printed):
        if isinstance(message, dict) and "cmd_id" in message:
            return self.take_reply(message)
        events = message if isinstance(message, list) else [message]
        if events and "snapshot" in events[0]:
            return self.take_snapshot(events, payload)
        for event in events:
            self.take_event(event, printed)

    # events

    def take_event(self, event, printed):
        epoch, lane, sequence = event["epoch"], event["lane"], int(event["sequence"])
        if self.epoch is None or epoch > self.epoch:
            self.enter(epoch)
        if epoch < self.epoch:
            # Of an ended epoch only what is known to be lacking counts, in its order.
            if any(row[0] == epoch and row[1] == lane and sequence == row[2] + 1 for row in self.goals()):
                self.apply(event, epoch, lane, sequence, printed)
            return
        last = self.last(lane)
        if sequence <= last:
            known = self.db.execute("SELECT id FROM ids WHERE epoch = ? AND lane = ? AND sequence = ?", (epoch, lane, sequence)).fetchone()
            if known and known[0] != event["id"]:
                self.receipt(lane, sequence, known[0], epoch)
            return
        if sequence > last + 1:
            if len(self.parked[lane]) >= MOST_PARKED:
                self.parked[lane] = {}
            self.parked[lane][sequence] = event
            return
        self.apply(event, epoch, lane, sequence, printed)
        while (following := self.parked[lane].pop(self.last(lane) + 1, None)) is not None:
            self.apply(following, epoch, lane, int(following["sequence"]), printed)

    def apply(self, event, epoch, lane, sequence, printed):
        record = event.get("data", {}).get("origin", {}).get("record_sha256", "")
        subject = event.get("subject", "")
        seen = self.db.execute("SELECT 1 FROM ids WHERE id = ? AND record = ? AND epoch <> ?", (event["id"], record, epoch)).fetchone()
        for line in event.get("data", {}).get("balances", []):
            self.take_line(subject, line, epoch, snapshot=False)
        if event["type"].startswith("stream.skipped"):
            self.want({"sku": subject})
        self.db.execute("INSERT OR REPLACE INTO ids VALUES (?, ?, ?, ?, ?)", (epoch, lane, sequence, event["id"], record))
        self.set_last(lane, sequence, epoch)
        if not seen:
            printed.append(event)

    # stock

    def take_line(self, subject, line, epoch, snapshot):
        key = (line.get("sku", subject), line.get("location", ""), line.get("lot", ""), line.get("owner", ""))
        row = self.db.execute("SELECT epoch, version FROM stock WHERE (sku, location, lot, owner) = (?, ?, ?, ?)", key).fetchone()
        mine, theirs = row or ("", -1), (epoch, line["version"])
        if theirs > tuple(mine) or snapshot and theirs == tuple(mine):
            self.db.execute("INSERT OR REPLACE INTO stock VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                            key + theirs + (json.dumps(line), self.mark))
        else:
            self.db.execute("UPDATE stock SET touched = ? WHERE (sku, location, lot, owner) = (?, ?, ?, ?)", (self.mark,) + key)

    def stock(self):
        rows = self.db.execute("SELECT sku, location, lot, owner, line FROM stock").fetchall()
        return {row[:4]: json.loads(row[4]) for row in rows}

    # epochs

    def enter(self, epoch):
        if self.epoch is not None and epoch <= self.epoch:
            return
        self.is_new = self.epoch is None
        self.epoch = epoch
        self.parked = {lane: {} for lane in LANES}
        self.tail = {}
        self.snapshot = None
        self.asked = {}
        self.scopes = []
        for lane in LANES:
            self.set_last(lane, 0)
        self.want({})
        self.learn_ends()

    def learn_ends(self):
        if not self.meta or self.meta["epoch"] != self.epoch or "previous" not in self.meta:
            return
        previous = self.meta["previous"]
        for lane, head in previous["heads"].items():
            self.db.execute("UPDATE lanes SET goal = ? WHERE epoch = ? AND lane = ? AND goal IS NULL", (head, previous["epoch"], lane))

    # beacons

    def take_beacon(self, beacon, retained):
        self.enter(beacon["epoch"])
        if beacon["epoch"] < self.epoch:
            if not retained:
                lane = max(LANES, key=self.last)
                row = self.db.execute("SELECT id FROM ids WHERE epoch = ? AND lane = ? ORDER BY sequence DESC", (self.epoch, lane)).fetchone()
                self.receipt(lane, max(1, self.last(lane)), row[0] if row else str(uuid.UUID(int=1)), self.epoch)
            return
        self.beacon = beacon
        for line in beacon["lanes"]:
            lane, last = line["name"], self.last(line["name"])
            if line["head"] < last and not retained:
                row = self.db.execute("SELECT id FROM ids WHERE epoch = ? AND lane = ? AND sequence = ?", (self.epoch, lane, last)).fetchone()
                if row:
                    self.receipt(lane, last, row[0], self.epoch)
            if line["acked"] > last and (self.is_new or self.tail.get(lane) == last):
                self.db.execute("UPDATE lanes SET goal = max(coalesce(goal, 0), ?) WHERE epoch = ? AND lane = ?", (line["acked"], self.epoch, lane))
            self.tail[lane] = last if line["acked"] > last else None
        self.is_new = False

    # asking

    def want(self, scope):
        if not scope:
            self.scopes = []
        if {} not in self.scopes and scope not in self.scopes:
            self.scopes.append(scope)

    def ask(self, what, verb, members):
        """At most one request of a kind is under way."""
        if what not in self.asked or self.asked[what][1] <= self.now():
            self.asked[what] = (self.send(verb, members), self.now() + PATIENCE)
            return self.asked[what][0]
        return None

    def receipt(self, lane, sequence, event_id, epoch):
        self.ask(("receipt", lane), "receipt", {"lane": lane, "epoch": epoch, "sequence": sequence, "id": event_id})

    def missing(self, lane):
        last = self.last(lane)
        if self.parked[lane]:
            return last + 1, min(self.parked[lane]) - 1
        row = self.db.execute("SELECT goal FROM lanes WHERE epoch = ? AND lane = ?", (self.epoch, lane)).fetchone()
        return (last + 1, row[0]) if row and row[0] and row[0] > last else None

    def tick(self):
        """Sends what is due. Between messages."""
        if self.epoch is None:
            return
        wanted = [(self.epoch, lane, self.missing(lane)) for lane in LANES]
        wanted += [(epoch, lane, (last + 1, goal)) for epoch, lane, last, goal in self.goals()]
        for epoch, lane, gap in wanted:
            if gap:
                self.ask(("replay", epoch, lane), "replay",
                         {"lane": lane, "epoch": epoch, "from": gap[0], "to": min(gap[1], gap[0] + REPLAY_SLICE)})
        self.ask_snapshot()
        for lane in LANES:
            last = self.last(lane)
            if last > self.receipted.get((self.epoch, lane), 0):
                row = self.db.execute("SELECT id FROM ids WHERE epoch = ? AND lane = ? AND sequence = ?", (self.epoch, lane, last)).fetchone()
                if row:
                    self.receipt(lane, last, row[0], self.epoch)
                    self.receipted[(self.epoch, lane)] = last

    def ask_snapshot(self):
        if self.snapshot is None and self.scopes:
            self.mark += 1
            self.snapshot = {"scope": self.scopes.pop(0), "place": None, "keys": 0, "sum": 0, "chunk": None, "id": None}
        taker = self.snapshot
        if taker is None:
            return
        members = dict(taker["scope"])
        if taker["place"]:
            members.update(snapshot=taker["id"], epoch=self.epoch, resume=taker["place"])
        asked = self.ask("resync", "resync", members)
        if asked and not taker["place"]:
            taker["id"] = asked

    # replies

    def take_reply(self, reply):
        if reply["status"] == "progress" and "chunk" in reply:
            return self.take_chunk(reply)
        what = next((what for what, (cmd_id, _) in self.asked.items() if cmd_id == reply["cmd_id"]), None)
        if what is None:
            return
        if reply["status"] in ("accepted", "progress"):
            self.asked[what] = (reply["cmd_id"], self.now() + PATIENCE)
            return
        del self.asked[what]
        if reply["status"] == "rejected":
            self.take_refusal(what, reply)
        elif what[0] == "replay" and reply.get("sent", 0) == 0 and "next" not in reply:
            # No more is to be had than what came.
            self.db.execute("UPDATE lanes SET goal = last WHERE epoch = ? AND lane = ?", what[1:])

    def take_refusal(self, what, reply):
        code = reply["code"]
        if code == "RANGE_PRUNED" and what[0] == "replay":
            self.give_up(what[1], what[2], reply["oldest"])
        elif code == "UNKNOWN_EPOCH" and what[0] == "replay":
            self.db.execute("INSERT INTO lost SELECT epoch, lane, last + 1, goal FROM lanes WHERE epoch = ? AND lane = ?", what[1:])
            self.db.execute("UPDATE lanes SET goal = last WHERE epoch = ? AND lane = ?", what[1:])
        elif code == "UNKNOWN_EPOCH" and what == "resync":
            self.want(self.snapshot["scope"] if self.snapshot else {})
            self.snapshot = None
        elif code == "STALE":
            agent = datetime.fromisoformat(reply["at"].replace("Z", "+00:00"))
            self.clock_offset = agent - datetime.now(timezone.utc)
        else:
            if code in ("DENIED", "MALFORMED"):
                self.denied = f"{reply['verb']}: {code} {reply.get('message', '')}"
                self.complain(self.denied)
            self.asked[what] = ("", self.now() + (60 if code in ("DENIED", "MALFORMED") else 1))

    def give_up(self, epoch, lane, oldest):
        last = self.last(lane, epoch)
        if oldest <= last + 1:
            return
        self.db.execute("INSERT INTO lost VALUES (?, ?, ?, ?)", (epoch, lane, last + 1, oldest - 1))
        self.set_last(lane, oldest - 1, epoch)
        if epoch == self.epoch:
            self.want({})
            printed = []
            while (following := self.parked[lane].pop(self.last(lane) + 1, None)) is not None:
                self.apply(following, epoch, lane, int(following["sequence"]), printed)
            for event in printed:
                self.output(json.dumps(event, separators=(",", ":"), ensure_ascii=False))

    # snapshots

    def take_snapshot(self, events, payload):
        first, taker = events[0], self.snapshot
        if first["type"] == "snapshot.begin.v1" and taker is None and first["epoch"] == self.epoch:
            # A technician had it sent.
            self.mark += 1
            scope = {name: first["data"][name] for name in ("sku", "location", "leaf") if name in first["data"]}
            self.snapshot = {"scope": scope, "place": None, "keys": 0, "sum": 0, "chunk": None, "id": first["snapshot"]}
            self.asked["resync"] = ("", self.now() + PATIENCE)
        if taker is None or first["snapshot"] != taker["id"] or first["epoch"] != self.epoch:
            return
        if first["type"] == "snapshot.end.v1":
            whole = first["data"]["keys"] == taker["keys"] and int(first["data"]["lines"], 16) == taker["sum"]
            self.snapshot = None
            if not whole:
                return self.want(taker["scope"])
            for key in self.db.execute("SELECT sku, location, lot, owner FROM stock WHERE touched < ?", (self.mark,)).fetchall():
                if self.covers(taker["scope"], key):
                    self.db.execute("DELETE FROM stock WHERE (sku, location, lot, owner) = (?, ?, ?, ?)", key)
        elif first["type"] == "stock.level.v1":
            taker["chunk"] = (events, hashlib.sha256(payload).hexdigest())

    @staticmethod
    def covers(scope, key):
        return (key[0].startswith(scope.get("sku", "")) and key[1].startswith(scope.get("location", ""))
                and ("leaf" not in scope or leaf_of(key) == int(scope["leaf"], 16)))

    def take_chunk(self, reply):
        taker, chunk = self.snapshot, reply["chunk"]
        if taker is None or reply.get("snapshot") != taker["id"] or taker["chunk"] is None:
            return
        (events, digest), taker["chunk"] = taker["chunk"], None
        if digest != chunk["sha256"] or len(events) != chunk["count"]:
            return
        for event in events:
            line = event["data"]["balances"][0]
            key = (event["subject"], line.get("location", ""), line.get("lot", ""), line.get("owner", ""))
            taker["sum"] = (taker["sum"] + line_hash(key, line)) % (1 << 128)
            self.take_line(event["subject"], line, event["epoch"], snapshot=True)
        taker["keys"] += len(events)
        taker["place"] = chunk["place"]


def run(arguments):
    import paho.mqtt.client as mqtt
    from paho.mqtt.packettypes import PacketTypes
    from paho.mqtt.properties import Properties

    root = f"waybill/v1/{shard(arguments.tenant, arguments.site)}/{arguments.tenant}/{arguments.site}/"
    replies = root + "rep/" + arguments.requester
    client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, client_id=f"py-{arguments.tenant}-{arguments.requester}", protocol=mqtt.MQTTv5)
    inbox = []

    def send(verb, members):
        cmd_id = str(uuid.uuid4())
        issued = datetime.now(timezone.utc) + core.clock_offset
        request = {"cmd_id": cmd_id, "requester": arguments.requester,
                   "issued_at": issued.isoformat(timespec="milliseconds").replace("+00:00", "Z"), **members}
        properties = Properties(PacketTypes.PUBLISH)
        properties.ResponseTopic = replies
        properties.CorrelationData = cmd_id.encode()
        properties.MessageExpiryInterval = 60
        client.publish(root + "cmd/" + verb, json.dumps(request), qos=1, properties=properties)
        return cmd_id

    core = Core(arguments.db, send, output=lambda line: print(line, flush=True))
    if arguments.username:
        client.username_pw_set(arguments.username, arguments.password)
    client.on_connect = lambda client, *_: client.subscribe([(root + part, 1) for part in ("ev/+", "state", "beacon", "meta")] + [(replies, 1)])
    client.on_message = lambda _client, _data, message: inbox.append((message.topic[len(root):], message.payload, message.retain))
    session = Properties(PacketTypes.CONNECT)
    session.SessionExpiryInterval = 86_400
    client.connect(arguments.host, arguments.port, clean_start=False, properties=session)
    quiet_since = time.monotonic()
    while time.monotonic() - quiet_since < arguments.idle_exit:
        client.loop(0.05)
        for part, payload, retained in inbox:
            core.take(part, payload, retained)
            quiet_since = time.monotonic()
        inbox.clear()
        core.tick()
        if core.snapshot or core.scopes:
            quiet_since = time.monotonic()
    client.disconnect()
    if not arguments.digest_check:
        return 0
    root_hash = tree_root(core.stock())
    equal = core.beacon is not None and core.beacon.get("tree") == root_hash
    print(f"consumer: root {root_hash} {'equal' if equal else 'DIFFERENT'}", file=sys.stderr)
    return 0 if equal else 1


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=1883)
    parser.add_argument("--tenant", required=True)
    parser.add_argument("--site", required=True)
    parser.add_argument("--requester", required=True)
    parser.add_argument("--db", required=True)
    parser.add_argument("--username")
    parser.add_argument("--password")
    parser.add_argument("--idle-exit", type=float, default=1e9, metavar="SECONDS", help="end when nothing came for so long")
    parser.add_argument("--digest-check", action="store_true", help="at the end compare the stock with the last beacon by hash")
    sys.exit(run(parser.parse_args()))


if __name__ == "__main__":
    main()
