# SPDX-License-Identifier: MIT
"""The Redis of a URL: one, the master that Sentinels name, or a Cluster."""

from urllib.parse import parse_qsl, unquote, urlencode, urlsplit

import redis
import redis.cluster
from redis.cluster import ClusterNode, RedisCluster
from redis.commands import RedisClusterCommands
from redis.exceptions import RedisClusterException
from redis.sentinel import Sentinel

from .module import Module

REDIS_PORT, SENTINEL_PORT = 6379, 26379
# A link that went silent is found out: longer than anything here blocks (2 s).
PATIENCE = {"socket_timeout": 5, "socket_connect_timeout": 5, "socket_keepalive": True}
ANSWER_EXPIRE_S = 3600          # of a list that an answer made and nobody reads
TLS = {"cacert": "ssl_ca_certs", "cert": "ssl_certfile", "key": "ssl_keyfile"}
VERIFY = {"full": ("required", True), "ca": ("required", False), "none": ("none", False)}
# redis-py 4 leaves it out for Clusters, and then takes a certificate of any name.
redis.cluster.REDIS_ALLOWED_KEYS += ("ssl_check_hostname",)


class Masters(RedisCluster):
    """RedisCluster keeps response callbacks of its own behind those of each master, which have made
    of a reply what they want by then."""

    callbacks = {}

    def get_redis_connection(self, node):
        master = RedisCluster.get_redis_connection(self, node)
        master.response_callbacks.update(self.callbacks)
        return master


class Cluster(RedisClusterCommands):
    """Connected by the first command, and what goes wrong is a redis.RedisError, as with one Redis:
    RedisCluster itself wants a Cluster that is whole before there is anything to call."""

    def __init__(self, hosts, **conf):
        self.conf = dict(conf, startup_nodes=[ClusterNode(*host) for host in hosts])
        self.cluster, self.callbacks = None, {}

    def set_response_callback(self, command, callback):
        self.callbacks[command] = callback

    def _do(self, what, *args, **options):
        try:
            if self.cluster is None:
                self.cluster = Masters(**self.conf)
                self.cluster.callbacks = self.callbacks
            return getattr(self.cluster, what)(*args, **options)
        except RedisClusterException as wrong:
            self.cluster = None         # where its masters are is asked again
            raise redis.ConnectionError("the Cluster: %s" % wrong) from wrong

    def execute_command(self, *args, **options):
        return self._do("execute_command", *args, **options)

    def pubsub(self, **options):
        return self._do("pubsub", **options)


class Linked(Module):
    """A module with a Redis of its own. While that is away all trouble is one."""

    def __init__(self, topic, **conf):
        Module.__init__(self, topic)
        self.conf, self.db = conf, connect(**conf)

    def wrong(self, what, why):
        away = isinstance(why, (redis.ConnectionError, redis.TimeoutError))
        return Module.wrong(self, "Redis" if away else what, why)

    def well(self, what):
        Module.well(self, "Redis")
        Module.well(self, what)


def tls_settings(parts):
    """What redis-py calls those of a URL for TLS; and what of the URL's is left."""
    settings, tls = dict(parse_qsl(parts.query)), {}
    for ours, theirs in TLS.items():
        if ours in settings:
            tls[theirs] = settings.pop(ours)
    verify = settings.pop("verify", "full")
    if verify not in VERIFY:
        raise ValueError("the Redis URL's verify is full, ca or none")
    tls["ssl_cert_reqs"], tls["ssl_check_hostname"] = VERIFY[verify]
    return tls, settings


def encrypted(parts, conf):
    """Of rediss://, whose settings are redis-py's or those of actord's --redis."""
    tls, settings = tls_settings(parts)
    return redis.Redis.from_url(parts._replace(query=urlencode(settings)).geturl(),
                                **{**tls, **conf})


def connect(url=None, **conf):
    """As redis.Redis.from_url(), or redis.Redis() without; and as actord's --redis:
    cluster://[[USER]:PASSWORD@]HOST:PORT,...,
    sentinel://[[USER]:PASSWORD@]HOST:PORT,.../MASTER[/DB]; and rediss://, rediss-cluster://,
    rediss-sentinel:// with ?cacert=FILE&cert=FILE&key=FILE&verify=full|ca|none."""
    conf = {**PATIENCE, **conf}
    if not url:
        return redis.Redis(**conf)
    parts = urlsplit(url)
    if parts.scheme == "unix":
        conf = {k: v for k, v in conf.items() if k == "socket_timeout" or k not in PATIENCE}
    if parts.scheme == "rediss":
        return encrypted(parts, conf)
    secret, kind, tls = parts.scheme.startswith("rediss-"), parts.scheme.split("-")[-1], {}
    if kind not in ("cluster", "sentinel"):
        return redis.Redis.from_url(url, **conf)
    if secret:
        tls, unknown = tls_settings(parts)
        if unknown:
            raise ValueError("after ? the Redis URL takes %s and verify=, not %s" % (
                ", ".join(name + "=" for name in TLS), ", ".join(unknown)))
        tls["ssl"] = True
    who, _, hosts = parts.netloc.rpartition("@")
    user, _, password = (unquote(x) for x in who.partition(":"))
    conf = {**({"username": user} if user else {}), **({"password": password} if password else {}),
            **tls, **conf}
    default = REDIS_PORT if kind == "cluster" else SENTINEL_PORT
    hosts = [urlsplit("//" + host) for host in hosts.split(",")]
    hosts = [(host.hostname, host.port or default) for host in hosts]
    if kind == "cluster":
        return Cluster(hosts, **conf)
    master, _, db = parts.path[1:].partition("/")
    asked = Sentinel(hosts, sentinel_kwargs={**PATIENCE, **tls})
    return asked.master_for(unquote(master), db=int(db or 0), **conf)


def answer(db, topic, data):
    """To who hears the channel; where nobody does, onto the list. A Cluster's PUBLISH counts only
    those at one master, so there all are asked first, as who has heard it may be gone after."""
    heard = sum(n for _, n in db.pubsub_numsub(topic, target_nodes=RedisCluster.PRIMARIES)) \
        if isinstance(db, Cluster) else 0
    if not max(heard, db.publish(topic, data)) and db.rpush(topic, data) == 1:
        db.expire(topic, ANSWER_EXPIRE_S)
