#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Groups, the node's own among them; an actor that becomes another for a while and keeps
messages."""

import unittest

from harness import HERE, Case, source, until, vary


class Patterns(Case):
    actors = ("hall.c",)

    def test_clients_come_and_go(self):
        before = self.caller.call("hall", "who")
        client = self.runtime.client(login=False)
        client.login("guid of mine", "md5")
        self.assertEqual(client.receive()["args"], ["guid of mine"])    # of hall, to the client
        self.assertEqual(self.caller.call("hall", "who")[:3], [before[0] + 1, before[1],
                                                               "guid of mine"])
        stranger = self.runtime.client(login=False)
        stranger.close()
        client.close()
        until(lambda: self.caller.call("hall", "who")[1] == before[1] + 1, "it has gone")
        self.assertEqual(self.caller.call("hall", "who")[0], before[0] + 1)

    def test_the_node_has_started(self):
        node = self.runtime.ready["node"]
        self.assertEqual(self.caller.call("hall", "who")[3], node)

    def test_a_long_guid(self):
        guid = "x" * 55 + "é" * 100
        client = self.runtime.client(login=False)
        client.login(guid, "md5")
        self.assertEqual(client.receive()["args"], [guid])
        client.close()

    def test_publish_and_pick(self):
        self.assertEqual(self.caller.call("hall", "tell", 5), [1, 0])
        self.assertEqual(self.caller.call("hall", "tell", 7), [1, 5])
        self.assertEqual(self.caller.call("hall", "pick", "a key"), [1, 0])
        self.assertEqual(self.caller.call("hall", "tell", 1), [1, 112])

    def kept(self):
        return next(h["calls"] for h in self.runtime.json("inspect", "hall")[0]["handlers"]
                    if h["name"] == "shut.say")

    def test_shut_and_open(self):
        self.assertEqual(self.caller.call("hall", "say", "a"), ["a"])
        self.assertEqual(self.caller.call("hall", "shut"), [0])
        for i in range(5):
            self.caller.send("hall", "say", str(i), id=i)
        client = self.runtime.client()
        client.receive()
        client.send({"tpc": "hall", "func": "say", "args": ["ws"], "cb": "callback", "id": 9})
        other = self.runtime.caller()
        until(lambda: self.kept() == 6, "all is kept")
        self.assertEqual(self.caller.db.llen(self.caller.ct), 0)
        # A patch meets the handler of the mode, and what was kept meets the patch of the other.
        old = "msg_str(m, 0));\n}\n\nstatic int shut_say"
        other.eval("hall", "say", vary(source("hall.c"), old, old.replace("msg_str(m, 0)",
                                                                          '"patched"')), "say")
        self.assertEqual(other.call("hall", "open"), [6])
        self.assertEqual([self.caller.answer()["args"] for _ in range(5)], [["patched"]] * 5)
        self.assertEqual(client.receive()["args"], ["patched"])
        other.eval("hall", "say", source("hall.c"), "say")
        client.close()


class Stop(Case):
    options = None

    def test_the_node_stops(self):
        runtime = self.start(HERE / "actors/hall.c", redis="none")
        runtime.stop()
        self.assertTrue([x for x in runtime.err.lines if "hall: heard that " in x])


if __name__ == "__main__":
    unittest.main()
