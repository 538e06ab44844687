/** A part's own class, which pages rely on, and what the page adds to it. */
export function classNames(own: string, added: string | undefined): string {
  return added ? `${own} ${added}` : own;
}
