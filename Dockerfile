# Coordinator and agent in one small image. nats-server is for the coordinator's own NATS.
FROM node:20-bookworm-slim AS build
WORKDIR /src
COPY package.json package-lock.json tsconfig.json ./
RUN npm ci --ignore-scripts
COPY common common
COPY coordinator coordinator
COPY agent agent
COPY demo demo
COPY bench bench
COPY test test
RUN npx tsc -p tsconfig.json && npm prune --omit=dev --ignore-scripts

FROM node:20-bookworm-slim
RUN apt-get update \
 && printf '#!/bin/sh\nexit 101\n' >/usr/sbin/policy-rc.d && chmod +x /usr/sbin/policy-rc.d \
 && apt-get install -y --no-install-recommends nats-server \
 && rm -rf /var/lib/apt/lists/* /usr/sbin/policy-rc.d
WORKDIR /opt/isthmus
COPY --from=build /src/package.json ./
COPY --from=build /src/node_modules node_modules
COPY --from=build /src/dist/common dist/common
COPY --from=build /src/dist/coordinator dist/coordinator
COPY --from=build /src/dist/agent dist/agent
COPY proto proto
RUN ln -s /opt/isthmus/dist/coordinator/main.js /usr/local/bin/isthmus-coordinator \
 && ln -s /opt/isthmus/dist/agent/main.js /usr/local/bin/isthmus-agent \
 && chmod +x dist/coordinator/main.js dist/agent/main.js \
 && mkdir /data /keys && chown node:node /data /keys && chmod 0700 /keys
USER node
# The keys that seal secrets stand apart from what they seal.
VOLUME /data /keys
EXPOSE 6443 7443 4222 8053/udp 8053/tcp 8080
CMD ["isthmus-coordinator", "--data-dir=/data", "--encryption-key-file=/keys/isthmus.key"]
