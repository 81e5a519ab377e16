/**
 * The monitor: a page and its files, built beforehand and held in memory. Nothing in them is a secret, so that anybody may have
 * them; all that the page shows it asks of the API, as whoever looks at it.
 */
import { createHash } from 'node:crypto'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { gzipSync } from 'node:zlib'
import type { FastifyReply, FastifyRequest } from 'fastify'
import { RequestRefused } from './error-responses.ts'
import type { ServerPlugin } from './server.ts'

/** Beside the built program, or below the sources. */
const FOLDERS = ['../../monitor', '../../dist/monitor'].map((folder) => path.resolve(import.meta.dirname, folder))

/** Addresses of the page: what stands behind them is for the program in it. */
const PAGES = ['/', '/overview', '/login']
/** Behind it: workspace, owner and id of one operation. */
const OPERATION_PAGES = '/operations/'

/** The page runs the scripts and styles of this server, asks nobody else for anything, and is shown within no other page. */
const PAGE_POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "connect-src 'self'",
  "img-src 'self' data:",
  "font-src 'self'",
  "base-uri 'none'",
  "form-action 'self'",
  "frame-ancestors 'none'",
].join('; ')

const MEDIA_TYPES: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.svg': 'image/svg+xml',
}

interface HeldFile {
  readonly bytes: Buffer
  readonly zipped: Buffer
  readonly mediaType: string
  readonly etag: string
}

/** `folder`: where the built files lie; found by itself where none is named. */
export function monitorFiles(folder = FOLDERS.find((one) => existsSync(path.join(one, 'index.html')))): ServerPlugin {
  const files = folder === undefined ? new Map<string, HeldFile>() : filesIn(folder)
  const page = files.get('index.html')
  return (app, { openPaths, openFolders }) => {
    const answerPage = (request: FastifyRequest, reply: FastifyReply) => {
      // `GET *` reaches the router as if it had asked for `/`.
      if (!request.url.startsWith('/')) throw new RequestRefused('no_such_route', `there is nothing at ${request.url}`)
      if (page === undefined)
        throw new RequestRefused('monitor_not_built', 'the page is made by: npm run build:monitor')
      // Its address stays the same when the program behind it changes.
      return answer(page, request, reply.header('cache-control', 'no-cache'))
    }
    for (const address of PAGES) {
      openPaths.add(address)
      app.get(address, answerPage)
    }
    openFolders.add(OPERATION_PAGES)
    app.get(`${OPERATION_PAGES}*`, answerPage)
    for (const [name, file] of files) {
      if (name === 'index.html') continue
      openPaths.add(`/${name}`)
      // Named after what is in it.
      app.get(`/${name}`, (request, reply) =>
        answer(file, request, reply.header('cache-control', 'public, max-age=31536000, immutable')),
      )
    }
  }
}

function answer({ bytes, zipped, mediaType, etag }: HeldFile, request: FastifyRequest, reply: FastifyReply) {
  void reply.headers({ etag, vary: 'accept-encoding', 'content-security-policy': PAGE_POLICY })
  if (request.headers['if-none-match'] === etag) return reply.code(304).send()
  const isZipped = /\bgzip\b/.test(request.headers['accept-encoding'] ?? '')
  if (isZipped) void reply.header('content-encoding', 'gzip')
  return reply.type(mediaType).send(isZipped ? zipped : bytes)
}

function filesIn(folder: string): Map<string, HeldFile> {
  const found = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile())
  return new Map(
    found.map((entry) => {
      const file = path.join(entry.parentPath, entry.name)
      const bytes = readFileSync(file)
      const held = {
        bytes,
        zipped: gzipSync(bytes, { level: 9 }),
        mediaType: MEDIA_TYPES[path.extname(file)] ?? 'application/octet-stream',
        etag: `"${createHash('sha256').update(bytes).digest('base64url').slice(0, 22)}"`,
      }
      return [path.relative(folder, file).replaceAll(path.sep, '/'), held]
    }),
  )
}
