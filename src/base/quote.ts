/** One word for a POSIX shell: left bare when it is plainly safe, else in single quotes. */
export function shellWord(text: string): string {
  if (/^[A-Za-z0-9_\-+=:,./@%]+$/.test(text)) return text;
  return `'${text.replaceAll("'", `'\\''`)}'`;
}

/** A command line that a person can paste into a POSIX shell. */
export function shellCommand(words: readonly string[]): string {
  return words.map(shellWord).join(" ");
}
