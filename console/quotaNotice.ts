import type { QuotaStanding } from '../schemas/quotas.ts';
import type { Api } from './api.ts';
import { fill, h } from './dom.ts';
import { count } from './format.ts';

/** A line above the view while the tenant is near a quota; empty otherwise. */
export function quotaNotice({ api, signal }: { api: Api; signal: AbortSignal }): HTMLElement {
  const place = h('div', { role: 'status' });
  const show = async (): Promise<void> => {
    const { near, use } = await api.get<{ near: boolean; use: QuotaStanding[] }>('/api/quota', {}, signal);
    if (!near) return;
    const parts = use.map(({ per, used, limit }) => `${count(used)} of ${count(limit)} events of this ${per}`);
    const over = use.some(({ used, limit }) => used >= limit);
    const end = over ? 'Receivers refuse more events until then.' : 'Above it, receivers refuse events.';
    fill(place, h('p', { class: 'note' }, `Quota: ${parts.join(', ')} (UTC) are used. ${end}`));
  };
  // Without an answer there is no notice: the view itself tells of a server that is away.
  show().catch(() => undefined);
  return place;
}
