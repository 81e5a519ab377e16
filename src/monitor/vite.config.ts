/** Builds the monitor into static files that ship in the package: `npm run build:monitor`. */
import { defineConfig } from 'vite'

/** `npm run dev:monitor` shows the sources, and what a server at its usual address answers. */
const SERVER = 'http://127.0.0.1:8080'

export default defineConfig({
  base: '/',
  build: {
    outDir: '../../dist/monitor',
    emptyOutDir: true,
    // Browsers since the spring of 2024, which know light-dark().
    target: ['chrome123', 'firefox120', 'safari17.5'],
    // Everything is a file of this server: the page's policy lets nothing else in.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    reportCompressedSize: false,
  },
  server: { proxy: { '/v1': SERVER, '/openapi.json': SERVER, '/docs': SERVER } },
  logLevel: 'warn',
})
