/** An operation as callers name it: by its id alone where the defaults of their Verdict are meant. */
import type { AddressOptions } from './registration.ts'

export type OperationAddress = string | (AddressOptions & { readonly id: string })

export function idOf(address: OperationAddress): string {
  return typeof address === 'object' && address !== null ? address.id : address
}

export function addressOf(address: OperationAddress): AddressOptions {
  return typeof address === 'object' && address !== null ? address : {}
}
