/** One row of docs/guarantees.md. `tests` is undefined when the cell does not read as a list of tests. */
export type Guarantee = {
  readonly id: string
  readonly status: string
  readonly tests: readonly NamedTest[] | undefined
}

export type NamedTest = { readonly file: string; readonly title: string }

/** The rows of all tables whose first cell is a guarantee's id, in the order of the page. */
export function guaranteesIn(markdown: string): readonly Guarantee[] {
  return markdown.split('\n').flatMap((line) => {
    const [before, id, , status, tests] = line.split(/(?<!\\)\|/).map((cell) => cell.trim())
    if (before !== '' || id === undefined || !/^[A-Z]\d+$/.test(id)) return []
    return [{ id, status: status ?? '', tests: namedTestsIn(tests ?? '') }]
  })
}

function namedTestsIn(cell: string): readonly NamedTest[] | undefined {
  if (cell === '') return []
  const tests: NamedTest[] = []
  for (const part of cell.split('<br>')) {
    const [, file, title] = /^`(\S+) > (.+)`$/.exec(part.trim()) ?? []
    if (file === undefined || title === undefined) return undefined
    tests.push({ file, title: title.replaceAll('\\|', '|') })
  }
  return tests
}

/**
 * What keeps a page from being true, one sentence for each breach. `titlesIn` gives the titles of the tests of a file,
 * undefined when there is no such file.
 */
export function guaranteeBreaches(
  guarantees: readonly Guarantee[],
  titlesIn: (file: string) => readonly string[] | undefined,
): readonly string[] {
  return guarantees.flatMap(({ id, status, tests }) => {
    if (status !== 'done' && status !== 'open') return [`${id}: its status is "${status}", not "done" or "open"`]
    if (tests === undefined) return [`${id}: its tests are not written as \`file > title\`, separated by <br>`]
    if (status === 'done' && tests.length === 0) return [`${id}: is done, but names no test`]
    return tests.flatMap(({ file, title }) => {
      const titles = titlesIn(file)
      if (titles === undefined) return [`${id}: ${file} does not exist`]
      return titles.includes(title) ? [] : [`${id}: ${file} has no test "${title}" that runs`]
    })
  })
}
