import { format, resolveConfig } from 'prettier';
import { expect, test } from 'vitest';
import { listMarts } from '../../lake/marts/mart.ts';
import { martsPage } from '../../lake/marts/martsPage.ts';
import { REGISTRY } from '../lake/lakeFixture.ts';

test('the page of marts says what their files say', async () => {
  const file = new URL('../../docs/marts.md', import.meta.url).pathname;
  const page = await format(martsPage(listMarts(REGISTRY)), { ...(await resolveConfig(file)), parser: 'markdown' });
  await expect(page).toMatchFileSnapshot(file);
});
