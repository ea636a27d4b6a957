# Coordinator and agent in one small image, as user 1000 on a root that is only read. nats-server is
# for the coordinator's own NATS. Writable are /data and /keys, and nothing else needs to be.
FROM node:24-bookworm-slim AS build
WORKDIR /src
COPY package.json package-lock.json tsconfig.json ./
RUN npm ci --ignore-scripts
COPY build build
COPY common common
COPY coordinator coordinator
COPY agent agent
COPY plugin plugin
COPY demo demo
COPY bench bench
COPY test test
RUN npm run build

# What runs, without what only builds, tests or describes it.
FROM node:24-bookworm-slim AS packages
WORKDIR /src
COPY package.json package-lock.json ./
RUN npm ci --omit=dev --ignore-scripts \
 && find node_modules -type f \( -name '*.d.ts' -o -name '*.map' -o -name '*.md' -o -name '*.musl.node' \) -delete \
 && rm -rf node_modules/@types node_modules/.bin

FROM debian:bookworm-slim
RUN apt-get update \
 && printf '#!/bin/sh\nexit 101\n' >/usr/sbin/policy-rc.d && chmod +x /usr/sbin/policy-rc.d \
 && apt-get install -y --no-install-recommends nats-server libstdc++6 \
 && rm -rf /var/lib/apt/lists/* /usr/sbin/policy-rc.d \
 && useradd --uid 1000 --user-group --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin isthmus \
 && mkdir /data /keys && chown isthmus:isthmus /data /keys && chmod 0700 /data /keys
COPY --from=packages /usr/local/bin/node /usr/local/bin/node
WORKDIR /opt/isthmus
COPY --from=packages /src/node_modules node_modules
COPY --from=build /src/package.json ./
COPY --from=build /src/dist/common dist/common
COPY --from=build /src/dist/coordinator dist/coordinator
COPY --from=build /src/dist/agent dist/agent
COPY proto proto
RUN chmod +x dist/coordinator/main.js dist/agent/main.js \
 && ln -s /opt/isthmus/dist/coordinator/main.js /usr/local/bin/isthmus-coordinator \
 && ln -s /opt/isthmus/dist/agent/main.js /usr/local/bin/isthmus-agent
ENV NODE_ENV=production
USER 1000:1000
# The keys that seal secrets stand apart from what they seal.
VOLUME /data /keys
EXPOSE 6443 7443 4222 8053/udp 8053/tcp 8080
CMD ["isthmus-coordinator", "--data-dir=/data", "--encryption-key-file=/keys/isthmus.key"]
