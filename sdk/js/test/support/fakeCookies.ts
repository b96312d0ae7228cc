/** The cookies of one host on a clock of the test's own. Domains are kept apart by their text; which apply is not judged. */
export class FakeCookies {
  /** Every line a page wrote, in order. */
  readonly lines: string[] = [];
  /** Wall clock, ms. */
  now = 0;
  readonly #jar = new Map<string, { name: string; value: string; until: number }>();

  /** As `document.cookie` reads. */
  get text(): string {
    const alive = [...this.#jar.values()].filter(({ until }) => until > this.now);
    return alive.map(({ name, value }) => `${name}=${value}`).join('; ');
  }

  /** As assigning to `document.cookie`. */
  set(line: string): void {
    this.lines.push(line);
    const [pair = '', ...attributes] = line.split(';');
    const [name = '', value = ''] = pair.split('=');
    const of = (wanted: string): string | undefined =>
      attributes.map((one) => one.split('=')).find(([key]) => key === wanted)?.[1];
    const seconds = Number(of('max-age') ?? Infinity);
    this.#jar.set(`${name};${of('domain')}`, { name, value, until: this.now + 1000 * seconds });
  }

  /** Value of the first cookie of that name. */
  get(name: string): string | undefined {
    return this.text
      .split('; ')
      .find((pair) => pair.startsWith(`${name}=`))
      ?.slice(name.length + 1);
  }
}
