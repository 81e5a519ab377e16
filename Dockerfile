# The server in one image:      docker build --target server -t verdict .
# Somebody who may call it:     docker run --rm -v verdict:/data verdict keys add me --role admin --data /data
# And then:                     docker run --init -p 127.0.0.1:8080:8080 -v verdict:/data verdict
# Its tests in another:         docker build --target test -t verdict-test .

FROM node:24-bookworm-slim AS packages
WORKDIR /verdict
COPY package.json package-lock.json .npmrc ./
RUN npm ci

FROM packages AS build
COPY . .
RUN npm run build

FROM packages AS test
COPY . .
CMD ["npx", "vitest", "run", "test/event-store"]

FROM node:24-bookworm-slim AS production-packages
WORKDIR /verdict
COPY package.json package-lock.json .npmrc ./
RUN npm ci --omit=dev

FROM node:24-bookworm-slim AS server
ENV NODE_ENV=production
WORKDIR /verdict
COPY --from=production-packages /verdict/node_modules ./node_modules
COPY --from=build /verdict/dist ./dist
COPY package.json LICENSE NOTICE ./
RUN mkdir /data && chown node:node /data
USER node
VOLUME /data
EXPOSE 8080
# /readyz is about taking work; a container that is not ready is still alive.
HEALTHCHECK --interval=10s --timeout=3s --start-period=10s --retries=3 \
  CMD ["node", "-e", "fetch('http://127.0.0.1:8080/livez').then(({ ok }) => process.exit(ok ? 0 : 1), () => process.exit(1))"]
# Node as process 1 would ignore signals that it has no handler for: run with --init, as docker-compose.yml does.
ENTRYPOINT ["node", "dist/src/cli/main.js"]
CMD ["serve", "--host", "0.0.0.0", "--port", "8080", "--data", "/data"]
