/**
 * Splits a line into arguments as a shell would: quotes group, a backslash takes the next character literally.
 * Nothing is expanded. Throws SyntaxError when a quote is not closed.
 */
export function splitArguments(line: string): string[] {
  const found: string[] = []
  let word: string | null = null
  let quote = ""
  for (let i = 0; i < line.length; i++) {
    const char = line[i] as string
    if (char === "\\" && quote !== "'" && i + 1 < line.length) word = (word ?? "") + line[++i]
    else if (quote) {
      if (char === quote) quote = ""
      else word = (word ?? "") + char
    } else if (char === '"' || char === "'") {
      quote = char
      word ??= ""
    } else if (/\s/.test(char)) {
      if (word !== null) found.push(word)
      word = null
    } else word = (word ?? "") + char
  }
  if (quote) throw new SyntaxError(`The quote ${quote} is not closed.`)
  if (word !== null) found.push(word)
  return found
}
