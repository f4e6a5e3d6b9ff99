# SPDX-License-Identifier: MIT
"""Modules, which are greenlets, and their manager, which has the functions that messages call."""

import inspect
import sys
import traceback

import gevent
from gevent.event import Event

from .wire import EARGS, EFAIL, ENOENT, Refused


class Module(gevent.Greenlet):
    """Runs Run() until closeSig. Subclasses say onInit, onDestroy and Run."""

    settings = None     # given to onInit; a subclass or an instance may have its own

    def __init__(self, topic=""):
        gevent.Greenlet.__init__(self)
        self.topic, self.app, self.closeSig = topic, None, False
        self._stop_evt = Event()

    def onInit(self, app, settings=None):
        self.app = app

    def onDestroy(self):
        pass

    def Run(self):
        raise NotImplementedError("%s has no Run()" % type(self).__name__)

    def sleep(self, seconds):
        """False when the module is to end."""
        return not self._stop_evt.wait(seconds) and not self.closeSig

    def stop(self, timeout=5):
        """Asks Run() to return, waits for that, then for nothing more."""
        self.closeSig = True
        self._stop_evt.set()
        self.join(timeout)
        self.kill()

    def complain(self, what):
        print("%s: %s" % (self.topic, what), file=sys.stderr, flush=True)

    def _run(self):
        try:
            self.Run()
        except gevent.GreenletExit:
            pass
        except Exception:
            self.complain(traceback.format_exc())
        finally:
            self._stop_evt.set()


class ModuleManager:
    """app[topic] is a module; dispatch() calls a function that was registered."""

    def __init__(self):
        self.cmd_tables, self.mods, self._tasks = {}, {}, []

    def __getitem__(self, topic):
        return self.mods[topic]

    def __contains__(self, topic):
        return topic in self.mods

    def register(self, f, func):
        self.cmd_tables[f] = func

    def dispatch(self, f, args):
        """None where there is no such function, as in the ancestor; call() says so instead."""
        func = self.cmd_tables.get(f)
        return func(*args) if func else None

    def call(self, f, args):
        """As dispatch(), but whatever is wrong is a Refused with the reason."""
        func = self.cmd_tables.get(f)
        if not func:
            raise Refused(ENOENT, "there is no function %s here; there are %s" %
                          (f, ", ".join(sorted(self.cmd_tables)) or "none"))
        try:
            inspect.signature(func).bind(*args)
        except TypeError as wrong:
            raise Refused(EARGS, "%s: %s" % (f, wrong)) from None
        except ValueError:
            pass                        # a builtin that does not tell
        try:
            return func(*args)
        except Refused:
            raise
        except Exception as wrong:
            print(traceback.format_exc(), file=sys.stderr, flush=True)
            raise Refused(EFAIL, "%s: %s: %s" % (f, type(wrong).__name__, wrong)) from wrong

    def run(self, *apps):
        for app in apps:
            self.mods[app.topic] = app
        for app in apps:
            app.onInit(self, app.settings)
            app.start()

    def spawn(self, f):
        """Runs f in a greenlet of its own and waits for it."""
        task = gevent.spawn(f)
        self._tasks.append(task)
        task.join()
        self._tasks.remove(task)
        return task.value

    def close(self):
        """Ends all modules, the last one first."""
        gevent.killall(list(self._tasks))
        for app in reversed(list(self.mods.values())):
            app.stop()
            app.onDestroy()
        self.mods.clear()
