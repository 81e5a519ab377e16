/**
 * Any text as the value of a header: as it is where it is plain ASCII, else as a Display String (RFC 9651, section 3.3.8), because
 * headers carry nothing else unharmed.
 */
const PLAIN = /^[\x21-\x7e]+$/
const DISPLAY_STRING = /^%"([\x20-\x7e]*)"$/

export function headerOfText(text: string): string {
  // No text at all, which is refused as such, rather than another one.
  if (!text.isWellFormed()) return '%""'
  const isItself = PLAIN.test(text) && textOfHeader(text) === text
  return isItself ? text : `%"${encodeURIComponent(text).replace(/%[0-9A-F]{2}/g, (octet) => octet.toLowerCase())}"`
}

/** Also of a text in plain quotes, as structured headers have it. What is no display string is itself. */
export function textOfHeader(header: string): string {
  const [, encoded] = DISPLAY_STRING.exec(header) ?? []
  if (encoded !== undefined) {
    try {
      return decodeURIComponent(encoded)
    } catch {
      return header
    }
  }
  return /^"(.*)"$/.exec(header)?.[1] ?? header
}
