import { format, resolveConfig } from 'prettier';
import { expect, test } from 'vitest';
import { listMarts } from '../../../query/marts/mart.ts';
import { martsPage } from '../../../query/marts/martsPage.ts';
import { REGISTRY } from '../../support/lakeFixture.ts';

test('the page of marts says what their files say', async () => {
  const file = new URL('../../../docs/marts.md', import.meta.url).pathname;
  const page = await format(martsPage(listMarts(REGISTRY)), { ...(await resolveConfig(file)), parser: 'markdown' });
  await expect(page).toMatchFileSnapshot(file);
});
