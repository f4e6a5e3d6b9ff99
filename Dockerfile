# SPDX-License-Identifier: MIT
# actord with a Redis of its own, or beside yours (-e ACTORD_REDIS=redis://...).
#
# Patches are compiled inside the runtime: the image has no compiler and no headers. It runs with
# --read-only --tmpfs /tmp --cap-drop=ALL; what must outlast a restart is under /data.
ARG BASE=debian:bookworm-slim

FROM ${BASE} AS build
COPY tools/packages /src/tools/packages
RUN /src/tools/packages --install build && apt-get clean && rm -rf /var/lib/apt/lists/*
COPY . /src
RUN cmake --preset release -S /src -B /build -DACTORD_TESTS=OFF -DCMAKE_INSTALL_PREFIX=/usr/local \
	&& cmake --build /build \
	&& DESTDIR=/out cmake --install /build --strip \
	&& install -D -m 644 /src/LICENSE /out/usr/local/share/doc/actord/LICENSE \
# The packages of the libraries that the programs are linked with, whatever this Debian calls them.
	&& ldd /out/usr/local/bin/actord /out/usr/local/bin/actorctl \
		| sed -n 's|.*/\([^/ ]*\) (0x.*|*/\1|p' | sort -u | xargs dpkg -S | cut -d: -f1 | sort -u \
		>/out/libraries

FROM ${BASE}
COPY --from=build /out/libraries /tmp/libraries
COPY tools/packages /tmp/packages
RUN apt-get -qq update \
	&& DEBIAN_FRONTEND=noninteractive apt-get -qq install -y --no-install-recommends \
		$(cat /tmp/libraries) $(/tmp/packages run) \
	&& apt-get clean && rm -rf /var/lib/apt/lists/* /var/cache/debconf/*-old /var/log/* /tmp/* \
	&& useradd --uid 10001 --home-dir /data --shell /usr/sbin/nologin actord \
	&& install -d -o actord -g actord -m 700 /data
COPY --from=build /out/usr/local /usr/local

ENV ACTORD_LISTEN=0.0.0.0:8080 \
	ACTORD_REDIS_BIND=0.0.0.0 \
	ACTORD_CONTROL=/tmp/actord.sock \
	ACTORD_STATE=/data
USER 10001:10001
WORKDIR /data
VOLUME /data
EXPOSE 8080 6379
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=5s --timeout=3s --start-period=10s --retries=3 CMD ["actorctl", "ping"]
ENTRYPOINT ["actord"]
