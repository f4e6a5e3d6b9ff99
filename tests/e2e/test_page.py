#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""The page at `/` in a real browser (headless Chromium): two of them play together in the arena,
patches change its rules under them, and no connection ends. Screenshots are kept in build/test."""

import json
import os
import signal
import unittest

from selenium import webdriver
from selenium.webdriver.chrome.options import Options
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

from harness import EFAIL, HERE, PATIENCE, Case, make_folder, until

TOP = HERE.parent.parent
SHOTS = TOP / "build/test"
FLAGS = ("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
         "--disable-background-networking", "--disable-component-update", "--disable-sync",
         "--disable-dev-shm-usage", "--window-size=1360,820", "--hide-scrollbars")
# A page that is not in front is not painted as often; both are to play.
AWAKE = ("--disable-backgrounding-occluded-windows", "--disable-renderer-backgrounding")
RULES = {"arena_ice.c": "ice: you slide, walls throw you back",
         "arena_gold.c": "gold: every gem is five points",
         "arena_magnet.c": "magnets: gems come to you"}


class Browser:
    def __init__(self, case, url, dark=False):
        options = Options()
        options.binary_location = "/usr/bin/chromium"
        folder = make_folder()
        for flag in (*FLAGS, *AWAKE, "--user-data-dir=%s" % folder):
            options.add_argument(flag)
        if dark:
            options.add_argument("--force-dark-mode")
        options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
        service = Service("/usr/bin/chromedriver", env={**os.environ, "HOME": str(folder)})
        self.driver = webdriver.Chrome(service=service, options=options)
        case.addCleanup(self.driver.quit)
        self.driver.set_page_load_timeout(30 * PATIENCE)
        # The page's own sockets, counted, before any script of it runs.
        self.driver.execute_cdp_cmd("Page.addScriptToEvaluateOnNewDocument", {"source": """
            window.closes = 0; window.opens = 0;
            const Real = WebSocket;
            window.WebSocket = class extends Real {
                constructor(...all) {
                    super(...all);
                    window.opens++;
                    this.addEventListener("close", () => window.closes++);
                }
            };"""})
        self.driver.get(url)

    def text(self, css):
        return self.driver.find_element(By.CSS_SELECTOR, css).text

    def wait(self, css, part, seconds=40):
        until(lambda: part in self.text(css), "%r in %s" % (part, css), seconds)

    def rules(self):
        return self.js("return [...document.querySelectorAll('#rules li')].map(l => l.innerText)")

    def js(self, text):
        return self.driver.execute_script(text)

    def fill(self, css, text):
        field = self.driver.find_element(By.CSS_SELECTOR, css)
        field.clear()
        field.send_keys(text)

    def enter(self, name):
        self.fill("#name", name)
        self.driver.find_element(By.ID, "play").click()
        self.wait("#scores", name)

    def hold(self, *keys):
        chain = ActionChains(self.driver)
        for key in keys:
            chain.key_down(key)
        chain.perform()

    def phone(self):
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", {
            "width": 390, "height": 844, "deviceScaleFactor": 2, "mobile": True})

    def shot(self, name):
        SHOTS.mkdir(parents=True, exist_ok=True)
        self.driver.save_screenshot(str(SHOTS / (name + ".png")))

    def errors(self):
        return [e for e in self.driver.get_log("browser") if e["level"] == "SEVERE"]


JAVASCRIPT = """
    const done = arguments[arguments.length - 1], said = {};
    const { Client, Lost, Refused } = await import("/actord.js");
    const why = promise => promise.then(String, e => [e.constructor.name, e.code ?? 0]);
    const states = [];
    const node = new Client({ user: "js", onstate: state => states.push(state) });
    said.value = await node.call("echo", "say", 7);
    said.none = await why(node.call("echo", "none"));
    said.bigint = await why(node.call("echo", "say", 1n));
    const hasty = new Client({ user: "js1", timeout: 300 });
    said.late = await why(hasty.call("", "silent"));
    hasty.close();
    const waits = why(node.call("", "silent"));
    node.close();
    said.closed = [await waits, await why(node.call("echo", "say"))];
    said.states = states;
    const early = new Client({ user: "js2", onstate: state => states.push(state) });
    const queued = why(early.call("echo", "say"));
    early.close();
    said.early = [await queued, early.state];
    done(said);"""


class Page(Case):
    options = None

    def told(self, runtime):
        """Players, as who begins to look on now is told first: what was done before is in it."""
        client = runtime.client()
        client.send({"tpc": "arena", "func": "watch", "args": []})
        said = client.receive()["args"][0]
        client.close()
        return said

    def players(self, runtime):
        return [player[1] for player in self.told(runtime)]

    def test_names_and_who_does_not_play(self):
        """A name is cut between characters; who is no client is no player, and nobody who comes
        and goes makes the game faster."""
        runtime = self.start()
        ws, caller = runtime.client(), runtime.caller()
        name = "Константин Константинович"
        for _ in range(10):
            ws.send({"tpc": "arena", "func": "enter", "args": ["Ada"]})
            ws.send({"tpc": "arena", "func": "quit", "args": []})
        ws.send({"tpc": "arena", "func": "enter", "args": [name]})
        until(lambda: self.players(runtime) == [name[:12]], "the name, as it fits", 40)
        timers = until(lambda: runtime.json("inspect", "arena")[0]["timers"], "it has a moment", 40)
        self.assertEqual(len(timers), 1)
        self.assertIn("only clients", runtime.actorctl("call", "arena", "enter", "tool").err)
        caller.call("arena", "quit")
        for func, args in ("enter", ["nobody"]), ("steer", [1, 1]):
            self.refused(EFAIL, caller.call, "arena", func, *args)
        self.assertEqual(self.players(runtime), [name[:12]])
        self.assertEqual(runtime.json("inspect", "arena")[0]["restarts"], 0)

    def test_a_player_by_http(self):
        """Who calls by HTTP is gone when it is answered, and nobody says that it quits."""
        runtime = self.start()
        for _ in range(3):
            self.assertEqual(runtime.post("arena/enter", "Passing")[0], 200)
            until(lambda: not self.players(runtime), "it plays no more", 40)

    def test_javascript(self):
        """The clients' module, in a browser."""
        runtime = self.start()
        runtime.caller().eval("", "silent", '#include "actor.h"\nstatic int f(actor *self, '
                              'const msg *m) { (void)self; msg_defer(m); return 0; }\n', "f")
        browser = Browser(self, "http://%s/" % runtime.listen)
        browser.driver.set_script_timeout(20 * PATIENCE)
        said = browser.driver.execute_async_script("(async (...arguments) => {%s})(...arguments)"
                                                   % JAVASCRIPT)
        self.assertEqual(said, {
            "value": [7], "none": ["Refused", -2], "bigint": ["Refused", -1],
            "late": ["Refused", -4], "closed": [["Lost", 0], ["Lost", 0]],
            "states": ["connecting", "ready", "closed", "connecting", "closed"],
            "early": [["Lost", 0], "closed"]})

    def patch(self, runtime, name):
        done = runtime.actorctl("patch", "apply", str(TOP / "patches" / name))
        self.assertEqual(done.code, 0, done)

    def test_two_browsers_play(self):
        runtime = self.start()
        url = "http://%s/" % runtime.listen
        two = [Browser(self, url), Browser(self, url, dark=True)]
        for browser, name in zip(two, ("Ada", "Grace")):
            browser.wait("#state", "connected")
            browser.enter(name)
        for browser in two:                     # each sees the other
            browser.wait("#scores", "Ada")
            browser.wait("#scores", "Grace")
            browser.wait("#rules", "walls stop you")
        two[0].hold(Keys.ARROW_RIGHT)
        two[1].hold("s")
        self.wait_moved(runtime)
        for number, (name, rule) in enumerate(RULES.items()):
            self.patch(runtime, name)
            for browser in two:
                until(lambda: rule in browser.rules(), rule, 40)
                browser.wait("#latest", "arena.")
            two[0].shot("page-%d-%s" % (number + 1, name[:-2]))
        for browser in two:
            browser.wait("#clients", "2")
            self.assertNotEqual(browser.text("#rate"), "–")
        two[1].shot("page-dark")
        self.assertEqual(runtime.actorctl("patch", "revert", "1").code, 0)
        for browser in two:
            until(lambda: "walls stop you" in browser.rules(), "the revert is seen, too", 40)
            self.assertEqual(browser.js("return [window.opens, window.closes]"), [1, 0])
            self.assertEqual(browser.errors(), [])
        two[1].driver.quit()                    # who leaves is gone for the other
        until(lambda: "Grace" not in two[0].text("#scores"), "Grace has left", 40)

    def wait_moved(self, runtime):
        """Until both discs have been told in two places each."""
        seen, client = {}, runtime.client()
        client.send({"tpc": "arena", "func": "watch", "args": []})
        while sum(len(places) > 1 for places in seen.values()) < 2:
            for _, name, x, y, _ in client.receive()["args"][0]:
                seen.setdefault(name, set()).add((x, y))
        client.close()

    def test_a_restart(self):
        """The page connects again by itself, and plays on; on a phone, and by keys alone."""
        runtime = self.start()
        browser = Browser(self, "http://%s/" % runtime.listen)
        browser.phone()
        browser.wait("#state", "connected")
        self.assertEqual(browser.js("return document.documentElement.scrollWidth"), 390)
        for css in "#enter h2", "#name", "#play", "#enter .quiet":      # nothing is cut off
            self.assertTrue(browser.js("""
                const part = document.querySelector("%s"), box = part.getBoundingClientRect();
                return [box.top + 2, box.bottom - 2].every(y => part.contains(
                    document.elementFromPoint((box.left + box.right) / 2, y)));""" % css), css)
        browser.shot("page-phone")
        browser.hold(Keys.TAB, *"Ada", Keys.ENTER)
        browser.wait("#scores", "Ada")
        self.assertEqual(browser.js("return document.activeElement.id"), "canvas")
        self.assertEqual(runtime.actorctl("stop", "arena").code, 0)
        browser.wait("#gone", "arena")
        runtime.stop()
        browser.wait("#state", "connecting")
        browser.wait("#away", "does not answer")
        self.start(folder=runtime.folder, listen=runtime.listen)
        browser.wait("#state", "connected", 30)
        self.assertEqual(browser.js("return [window.opens > 1, document.hidden]"), [True, False])
        browser.wait("#scores", "Ada")
        browser.wait("#clients", "1")
        self.assertEqual(browser.text("#away"), "")
        until(lambda: not browser.text("#gone"), "nothing is gone", 40)

    def test_what_does_not_answer(self):
        """The node, and the arena alone; the pages say which, and play on when it does, also who
        is told by the new arena before it enters it."""
        runtime = self.start()
        two = [Browser(self, "http://%s/" % runtime.listen) for _ in range(2)]
        for browser, name in zip(two, ("Ada", "Grace")):
            browser.wait("#state", "connected")
            browser.enter(name)
        self.addCleanup(runtime.process.send_signal, signal.SIGCONT)
        runtime.process.send_signal(signal.SIGSTOP)
        two[0].wait("#state", "no answer")
        two[0].wait("#away", "does not answer")
        runtime.process.send_signal(signal.SIGCONT)
        for browser in two:
            browser.wait("#state", "connected")
        self.assertEqual(runtime.actorctl("stop", "arena").code, 0)
        for browser in two:
            browser.wait("#gone", "arena")
        two[0].shot("page-no-arena")
        two[1].hold("d")
        self.assertEqual(runtime.actorctl("start", "arena").code, 0)
        for browser in two:
            until(lambda: not browser.text("#gone"), "it is there again", 40)
        until(lambda: sorted(self.players(runtime)) == ["Ada", "Grace"], "and both play", 40)
        until(lambda: [x for _, name, x, *_ in self.told(runtime) if name == "Grace"] == [1576],
              "Grace is at the wall, by the key that she held all the while", 40)
        for browser in two:
            self.assertEqual(browser.js("return [window.opens, window.closes]"), [1, 0])

    def test_a_rule_before_anybody_plays(self):
        runtime = self.start()
        browser = Browser(self, "http://%s/" % runtime.listen)
        until(lambda: "walls stop you" in browser.rules(), "the rules are there", 40)
        self.assertIn("patch apply patches/arena_ice.c", browser.text("#command"))
        self.patch(runtime, "arena_ice.c")
        until(lambda: RULES["arena_ice.c"] in browser.rules(), "the rule is seen", 40)
        self.assertEqual(browser.errors(), [])

    def test_a_node_that_wants_a_password(self):
        runtime = self.start("--login", "login_password")
        done = runtime.actorctl("call", "login_password", "set", "ada", "lovelace")
        self.assertEqual(done.code, 0, done)
        browser = Browser(self, "http://%s/" % runtime.listen)
        browser.wait("#state", "log in")
        browser.fill("#login input[name=user]", "ada")
        browser.fill("#login input[name=proof]", "wrong\n")
        browser.wait("#state", "wrong password")
        browser.fill("#login input[name=proof]", "lovelace\n")
        browser.wait("#state", "connected as ada")
        browser.enter("Ada")
        browser.shot("page-password")

    def test_status(self):
        runtime = self.start()
        status, headers, body = runtime.get("/status")
        said = json.loads(body)
        self.assertEqual((status, said["node"], said["clients"], said["patches"]),
                         (200, runtime.ready["node"], 0, 0))
        self.assertIn("counter", [a["name"] for a in said["named"]])
        self.patch(runtime, "counter_cap.c")
        latest = json.loads(runtime.get("/status")[2])["latest"]
        self.assertEqual([(p["number"], p["handlers"]) for p in latest], [(1, "counter.hit")])

    def test_files(self):
        runtime = self.start()
        for path, kind in {"/": "text/html", "/page.css": "text/css",
                           "/page.js": "text/javascript", "/arena.js": "text/javascript",
                           "/actord.js": "text/javascript"}.items():
            status, headers, body = runtime.get(path)
            self.assertEqual((status, headers["Content-Type"].split(";")[0]), (200, kind), path)
            self.assertGreater(len(body), 500)
            self.assertEqual(int(headers["Content-Length"]), len(body))


if __name__ == "__main__":
    unittest.main()
