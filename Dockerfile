# One image for every service: `node ingest/main.ts`, `node processor/main.ts`, `node query/main.ts`, and the `spor` command.
#
# Node runs TypeScript directly, without a build step. The image has Node, what it links to, the dependencies and the
# sources: no shell and no package manager. The user is 1000. Only WORK_DIR and /tmp are written to.

# The version of package.json. Pin the digest in your own build: --build-arg NODE_IMAGE=node@sha256:…
ARG NODE_IMAGE=node:22.23.3-bookworm-slim

FROM ${NODE_IMAGE} AS dependencies
WORKDIR /app
COPY package.json package-lock.json ./
COPY sdk/js/package.json sdk/js/
# Install scripts are off: they would fetch the Node that this image has, and native parts are prebuilt.
RUN npm ci --omit=dev --ignore-scripts --no-audit --no-fund
# The bill of materials comes first: it lists packages, not files.
RUN npm sbom --package-lock-only --omit=dev --sbom-format=cyclonedx --sbom-type=application > sbom.cdx.json
COPY scripts/docker/prune.mjs /tmp/prune.mjs
RUN node /tmp/prune.mjs node_modules

# What Node and the native parts link to, and the few files that the C library reads.
FROM ${NODE_IMAGE} AS root
COPY --from=dependencies /app/node_modules /app/node_modules
COPY scripts/docker/root.sh /tmp/root.sh
RUN sh /tmp/root.sh /root-of-image /app/node_modules

FROM scratch
ARG VERSION=0.1.0
ARG REVISION=unknown
ARG NODE_IMAGE
LABEL org.opencontainers.image.title="Spor" \
  org.opencontainers.image.description="Event tracking for webshops: every event durable, exactly once, in Parquet" \
  org.opencontainers.image.licenses="Apache-2.0" \
  org.opencontainers.image.version="${VERSION}" \
  org.opencontainers.image.revision="${REVISION}" \
  org.opencontainers.image.base.name="${NODE_IMAGE}"
ENV NODE_ENV=production WORK_DIR=/var/spor/work PATH=/usr/local/bin:/usr/bin
COPY --from=root /root-of-image/system/ /
COPY --from=root --chown=1000:1000 /root-of-image/state/ /
WORKDIR /app
COPY --from=dependencies /app/node_modules ./node_modules
COPY --from=dependencies /app/sbom.cdx.json ./
COPY package.json LICENSE ./
COPY schemas ./schemas
COPY runtime ./runtime
COPY ingest ./ingest
COPY stream ./stream
COPY lake ./lake
COPY console ./console
COPY processor ./processor
COPY query ./query
COPY cli ./cli
COPY scripts/createBucket.ts ./scripts/
USER 1000:1000
CMD ["node", "ingest/main.ts"]
