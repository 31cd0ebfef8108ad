"""The core without a broker: gaps, batches, epochs, snapshots. Run: python3 -m unittest"""
import hashlib
import json
import tempfile
import unittest

from consumer import Core, leaf_of, line_hash, shard, tree_root

EPOCH, LATER = "20261123T060000Z-4f1a", "20261124T060000Z-0001"
FIGURES = {"quarantined": "0", "damaged": "0", "blocked": None, "allocated": "0", "in_transit": "0"}


def line(version, figure, **more):
    return {"version": version, "unrestricted": figure, **FIGURES, **more}


def event(sequence, epoch=EPOCH, lane="standard", number=None, sku="S", version=None, kind="stock.received.v1"):
    return {"specversion": "1.0", "sequence": "%019d" % sequence, "epoch": epoch, "lane": lane,
            "id": "00000000-0000-8000-8000-%012d" % (number or sequence), "type": kind, "subject": sku,
            "data": {"balances": [line(version or sequence, str(sequence), location="A")],
                     "origin": {"record_sha256": "r%d" % (number or sequence)}}}


class CoreTests(unittest.TestCase):
    def setUp(self):
        self.sent, self.printed, self.clock = [], [], 0.0
        self.file = tempfile.NamedTemporaryFile(suffix=".sqlite")
        self.core = Core(self.file.name, self.send, self.printed.append, lambda: self.clock)

    def send(self, verb, members):
        self.sent.append((verb, members))
        return "c%d" % len(self.sent)

    def take(self, part, message):
        self.core.take(part, json.dumps(message).encode())

    def sequences(self):
        return [int(json.loads(line)["sequence"]) for line in self.printed]

    def asked(self, verb):
        return [members for asked, members in self.sent if asked == verb]

    def reply(self, status, number=None, **members):
        self.take("rep/me", {"v": 1, "cmd_id": "c%d" % (number or len(self.sent)), "verb": "x", "status": status,
                             "at": "2026-11-23T09:15:00.000Z", "epoch": EPOCH, **members})

    def test_a_gap_is_asked_for_and_filled_in_order(self):
        self.take("ev/standard", event(1))
        self.take("ev/standard", [event(4), event(5)])
        self.core.tick()
        self.assertEqual(self.asked("replay")[0]["from"], 2)
        self.assertEqual(self.asked("replay")[0]["to"], 3)
        self.take("rep/me", [event(2), event(3)])
        self.take("ev/standard", event(3))
        self.assertEqual(self.sequences(), [1, 2, 3, 4, 5])

    def test_a_pruned_range_is_lost_and_the_rest_goes_on(self):
        self.take("ev/standard", event(9))
        self.core.tick()
        number = next(i + 1 for i, (verb, _) in enumerate(self.sent) if verb == "replay")
        self.reply("rejected", number, code="RANGE_PRUNED", message="", oldest=9)
        self.assertEqual(self.sequences(), [9])
        self.assertEqual(self.core.db.execute("SELECT first, last FROM lost").fetchall(), [(1, 8)])

    def test_a_new_epoch_does_not_repeat_what_was_known(self):
        self.take("ev/standard", event(1))
        self.take("ev/standard", event(1, LATER, number=1, version=1))
        self.take("ev/standard", event(2, LATER, number=7, version=2))
        self.assertEqual(self.sequences(), [1, 2])
        self.take("meta", {"epoch": LATER, "previous": {"epoch": EPOCH, "heads": {"critical": 0, "standard": 3, "bulk": 0}}})
        self.core.tick()
        self.assertIn({"lane": "standard", "epoch": EPOCH, "from": 2, "to": 3}, self.asked("replay"))
        self.take("rep/me", [event(2), event(3)])
        self.assertEqual(len(self.printed), 4)

    def test_a_tail_gap_shows_in_the_second_beacon(self):
        self.take("ev/standard", event(1))
        self.take("beacon", {"epoch": EPOCH, "lanes": [{"name": "standard", "head": 1, "acked": 1}]})
        lanes = [{"name": name, "head": 2 if name == "standard" else 0, "acked": 2 if name == "standard" else 0}
                 for name in ("critical", "standard", "bulk")]
        beacon = {"epoch": EPOCH, "lanes": lanes}
        self.take("beacon", beacon)
        self.core.tick()
        self.assertEqual(self.asked("replay"), [])
        self.take("beacon", beacon)
        self.core.tick()
        self.assertEqual(self.asked("replay"), [{"lane": "standard", "epoch": EPOCH, "from": 2, "to": 2}])

    def chunk(self, name, levels, keys, total):
        array = [{"specversion": "1.0", "epoch": EPOCH, "snapshot": name, "id": "x", "type": "stock.level.v1", "subject": sku,
                  "data": {"balances": [level]}} for sku, level in levels]
        payload = json.dumps(array).encode()
        self.core.take("rep/me", payload)
        place = {"after": {"sku": levels[-1][0]}, "keys": keys, "lines": "%032x" % total,
                 "asof": {"critical": 0, "standard": 0, "bulk": 0}}
        self.reply("progress", snapshot=name, chunk={"count": len(array), "sha256": hashlib.sha256(payload).hexdigest(), "place": place})

    def test_a_snapshot_replaces_and_removes(self):
        self.take("ev/standard", event(1, sku="GONE"))
        self.take("ev/standard", event(2, sku="S"))
        self.core.tick()
        number = next(i + 1 for i, (verb, _) in enumerate(self.sent) if verb == "resync")
        name = "c%d" % number
        level = line(2, "5", location="A")
        total = line_hash(("S", "A", "", ""), level)
        self.chunk(name, [("S", level)], 1, total)
        self.take("rep/me", {"specversion": "1.0", "epoch": EPOCH, "snapshot": name, "type": "snapshot.end.v1",
                             "data": {"keys": 1, "lines": "%032x" % total, "asof": {}}})
        self.assertEqual({key: value["unrestricted"] for key, value in self.core.stock().items()}, {("S", "A", "", ""): "5"})

    def test_a_probe_of_the_access_list_changes_nothing_and_is_no_complaint(self):
        self.take("ev/standard", event(1))
        complaints = []
        self.core.complain = complaints.append
        for part in ("ev/critical", "ev/standard", "ev/bulk", "state", "beacon", "meta", "rep/me"):
            self.core.take(part, b"")
        self.assertEqual((self.core.last("standard"), complaints), (1, []))

    def test_what_is_no_message_of_the_contract_changes_nothing(self):
        self.take("ev/standard", event(1))
        for part in ("ev/standard", "beacon", "meta", "rep/me"):
            for payload in (b"", b"nope", b"[]", b"{}", b"[{}]", b"7"):
                self.core.take(part, payload)
        self.assertEqual(self.core.last("standard"), 1)

    def test_hashes_are_those_of_the_page(self):
        key = ("00012345", "A-01-02", "L7", "")
        known = {"version": 42, "unrestricted": "7", "quarantined": "0", "damaged": "0", "blocked": None, "allocated": "0", "in_transit": "12.5"}
        self.assertEqual("%04x" % leaf_of(key), "e309")
        self.assertEqual("%032x" % line_hash(key, known), "fe0107f6a331f0d08eafb55f4db7737e")
        self.assertEqual(tree_root({key: known}), "9aed540ad71cc0929dc0326626d0c003bac5296087f7844b6e7afc9acd1742a2")
        self.assertEqual(tree_root({}), "6507cda1757547f3fe65e1edd0aee153c9b3919d524c379bc78615f214a9cccc")
        self.assertEqual(shard("acme", "dc-7"), "c5")


if __name__ == "__main__":
    unittest.main()
