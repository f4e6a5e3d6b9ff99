# SPDX-License-Identifier: MIT
"""Modules, which are greenlets, and their manager, which has the functions that messages call."""

import inspect
import random
import sys
import traceback

import gevent
from gevent.event import Event

from .wire import EARGS, EFAIL, ENOENT, Refused

PAUSE_S, PAUSE_MOST_S, DOUBLINGS_MOST = 0.2, 1, 8


class Module(gevent.Greenlet):
    """Runs Run() until closeSig. Subclasses say onInit, onDestroy and Run."""

    settings = None     # given to onInit; a subclass or an instance may have its own

    def __init__(self, topic=""):
        gevent.Greenlet.__init__(self)
        self.topic, self.app, self.closeSig = topic, None, False
        self._stop_evt, self._troubles = Event(), {}

    def onInit(self, app, settings=None):
        self.app, self.settings = app, settings

    def onDestroy(self):
        pass

    def Run(self):
        pass

    def sleep(self, seconds=0):
        """False when the module is to end."""
        if not seconds:
            gevent.sleep(0)
        return not self._stop_evt.wait(seconds) and not self.closeSig

    def stop(self, timeout=5):
        """Asks Run() to return, waits for that, then for nothing more."""
        self.closeSig = True
        self._stop_evt.set()
        if gevent.getcurrent() is not self:     # as when one of its own functions ends the app
            self.join(timeout)
            self.kill()

    def complain(self, what):
        print("%s: %s" % (self.topic, what), file=sys.stderr, flush=True)

    # --- trouble: a line when it begins, and when it is over ---

    def wrong(self, what, why):
        """Seconds until it is tried again: longer each time, and not for all at once."""
        tries = self._troubles[what] = self._troubles.get(what, 0) + 1
        if tries == 1:
            self.complain("%s: %s; I try again" % (what, why))
        return min(PAUSE_S * 2 ** min(tries - 1, DOUBLINGS_MOST), PAUSE_MOST_S) * \
            random.uniform(0.5, 1)

    def well(self, what):
        if self._troubles.pop(what, 0):
            self.complain("%s: well again" % what)

    def _run(self):
        try:
            self.Run()
        except gevent.GreenletExit:
            pass
        except (Exception, gevent.Timeout):
            self.complain(traceback.format_exc())
        finally:
            self._stop_evt.set()


def words_of(wrong):
    try:
        return str(wrong)
    except Exception:               # an exception may be wrong about that, too
        return "(no words)"


class ModuleManager:
    """app[topic] is a module, None where there is none; dispatch() calls a registered function."""

    def __init__(self):
        self.cmd_tables, self.mods, self._tasks, self._shapes = {}, {}, [], {}

    def __getitem__(self, topic):
        return self.mods.get(topic)

    def __contains__(self, topic):
        return topic in self.mods

    def register(self, f, func):
        self.cmd_tables[f] = func

    def dispatch(self, f, args):
        """None where there is no such function, as in the ancestor; call() says so instead."""
        func = self.cmd_tables.get(f)
        return func(*args) if func else None

    def _bind(self, f, func, args):
        """The arguments fit. What a function takes is looked up once, as that is slow."""
        of, shape = self._shapes.get(f, (None, None))
        if of is not func:
            try:
                shape = inspect.signature(func)
            except (TypeError, ValueError):
                shape = None                    # a builtin that does not tell
            self._shapes[f] = func, shape
        try:
            if shape:
                shape.bind(*args)
        except TypeError as wrong:
            raise Refused(EARGS, "%s: %s" % (f, wrong)) from None

    def _ends(self):
        return not self.mods or any(m.closeSig for m in self.mods.values())

    def call(self, f, args):
        """As dispatch(), but whatever is wrong is a Refused with the reason."""
        func = self.cmd_tables.get(f)
        if not func:
            raise Refused(ENOENT, "there is no function %s here; there are %s" %
                          (f, ", ".join(sorted(self.cmd_tables)) or "none"))
        self._bind(f, func, args)
        try:
            return func(*args)
        except (Refused, KeyboardInterrupt):
            raise
        except BaseException as wrong:          # a Timeout, or a sys.exit(), is no Exception
            if isinstance(wrong, gevent.GreenletExit) and self._ends():
                raise
            print(traceback.format_exc(), file=sys.stderr, flush=True)
            raise Refused(EFAIL, "%s: %s: %s" % (f, type(wrong).__name__,
                                                 words_of(wrong))) from wrong

    def run(self, *apps):
        for app in apps:
            if self.mods.get(app.topic, app) is not app:
                raise ValueError("there is a module %r already; each has a topic of its own"
                                 % app.topic)
            self.mods[app.topic] = app
        for app in apps:
            app.onInit(self, app.settings)
            app.start()

    def spawn(self, f):
        """Runs f in a greenlet of its own and waits for it."""
        task = gevent.spawn(f)
        self._tasks.append(task)
        try:
            task.join()
        finally:
            if task in self._tasks:
                self._tasks.remove(task)
        return task.value

    def close(self):
        """Ends all modules, the last one first. A function may call it."""
        mods, self.mods = list(self.mods.values()), {}
        gevent.killall([t for t in self._tasks if t is not gevent.getcurrent()])
        for app in reversed(mods):
            try:
                app.stop()
                app.onDestroy()
            except Exception:                   # the others are to end all the same
                app.complain(traceback.format_exc())
