import { readFile, writeFile } from 'node:fs/promises';
import { format, resolveConfig } from 'prettier';
import { lintOverrides, ROOM_RULES, type LintOverride } from './lint.ts';
import { picture } from './picture.ts';

const START = '<!-- rooms:start -->';
const END = '<!-- rooms:end -->';

/** Files with parts that the list of rooms generates, and their generators. */
const OUTPUTS: Record<string, (now: string) => string> = {
  '.oxlintrc.json': withOverrides,
  'README.md': (now) => withPicture(now, picture(1)),
  'ARCHITECTURE.md': (now) => withPicture(now, picture(2)),
};

/** Writes the lint rules and the pictures of the rooms; `--check` only compares. */
async function main(check: boolean): Promise<void> {
  for (const [name, make] of Object.entries(OUTPUTS)) {
    const file = new URL(`../../${name}`, import.meta.url);
    const now = await readFile(file, 'utf8');
    const wanted = await format(make(now), { ...(await resolveConfig(file.pathname)), filepath: file.pathname });
    if (wanted === now) continue;
    if (!check) await writeFile(file, wanted);
    else {
      process.stderr.write(`${name}: not current, run npm run generate\n`);
      process.exitCode = 1;
    }
  }
}

function withOverrides(now: string): string {
  const config = JSON.parse(now) as { overrides: LintOverride[] };
  const own = config.overrides.filter(({ rules }) => !ROOM_RULES.some((rule) => rule in rules));
  return JSON.stringify({ ...config, overrides: [...lintOverrides(), ...own] });
}

function withPicture(now: string, made: string): string {
  const start = now.indexOf(START);
  const end = now.indexOf(END);
  if (start < 0 || end < start) throw new Error(`${START} and ${END} are missing`);
  return `${now.slice(0, start + START.length)}\n\n${made}\n\n${now.slice(end)}`;
}

await main(process.argv.includes('--check'));
