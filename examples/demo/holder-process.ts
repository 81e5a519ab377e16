/** A holder, as the one who kills it sees it: a process, and what it told so far. */
import type { ListedOperation } from '../../src/index.ts'
import { Child } from './child.ts'
import type { FromHolder } from './messages.ts'
import type { View } from './view.ts'

/** Its last word. */
export type Done = Extract<FromHolder, { type: 'done' }>

export class HolderProcess {
  readonly child: Child
  readonly #view: View
  isReady = false
  isWaiting = false
  operations: readonly ListedOperation[] = []
  done: Done | undefined
  #hasEnded = false
  #wake: () => void = () => {}

  constructor(folder: string, life: string, view: View) {
    this.#view = view
    this.child = new Child('holder.ts', [folder, life], (message) => this.#hear(message))
    void this.child.ended.then(() => {
      this.#hasEnded = true
      this.#wake()
    })
  }

  /** Ends as soon as it holds; throws when the process ends first. */
  async until(holds: (holder: HolderProcess) => boolean): Promise<HolderProcess> {
    while (!holds(this)) {
      if (this.#hasEnded) throw new Error('the holder ended before it was asked to')
      await new Promise<void>((resolve) => {
        this.#wake = resolve
      })
    }
    return this
  }

  #hear(message: FromHolder): void {
    switch (message.type) {
      case 'ready':
        this.isReady = true
        break
      case 'waiting':
        this.isWaiting = true
        break
      case 'said':
        this.#view.say(message.text)
        break
      case 'view':
        this.operations = message.operations
        this.#view.show(message.operations)
        break
      case 'done':
        this.done = message
        break
      default:
        message satisfies never
    }
    this.#wake()
  }
}
