# One image for every service: `node ingest/main.ts`, `node processor/main.ts`, `node query/main.ts`, and the `spor` command.
# Node 22 runs TypeScript directly, without a build step.

FROM node:22-slim AS dependencies
WORKDIR /app
COPY package.json package-lock.json ./
COPY sdk/js/package.json sdk/js/
# Install scripts are off: they would fetch the Node that this image has, and native parts are prebuilt.
RUN npm ci --omit=dev --ignore-scripts

FROM node:22-slim
ENV NODE_ENV=production WORK_DIR=/var/spor/work
WORKDIR /app
COPY --from=dependencies /app/node_modules ./node_modules
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
COPY scripts ./scripts
RUN mkdir -p /var/spor/work /var/spor/access/ingest /var/spor/access/processor /var/spor/access/query \
    /var/spor/access/operator /run/spor/identity \
  && chown -R node:node /var/spor /run/spor && ln -s /app/cli/spor.mjs /usr/local/bin/spor
USER node
CMD ["node", "ingest/main.ts"]
