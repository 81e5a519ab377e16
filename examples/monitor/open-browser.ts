import { spawn } from 'node:child_process'

/** In the browser that people use on this machine; nothing happens where nobody could see it. */
export function openBrowser(url: string): void {
  const { platform, env } = process
  const isSeen = platform !== 'linux' || Boolean(env.DISPLAY ?? env.WAYLAND_DISPLAY)
  if (!isSeen) return
  const [program, ...args] =
    platform === 'darwin' ? ['open', url] : platform === 'win32' ? ['cmd', '/c', 'start', '', url] : ['xdg-open', url]
  const child = spawn(program ?? '', args, { stdio: 'ignore', detached: true })
  // Without such a program the address is on the screen all the same.
  child.on('error', () => {})
  child.unref()
}
