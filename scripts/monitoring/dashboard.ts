import type { DashboardPlan, Panel } from './panels.ts';

const COLUMNS = 3;
const WIDTH = 24 / COLUMNS;
const HEIGHT = 8;
const DATASOURCE = { type: 'prometheus', uid: '${datasource}' };

/** A dashboard as Grafana imports it. */
export function dashboardJson({ uid, title, panels }: DashboardPlan): string {
  return JSON.stringify({
    uid,
    title,
    tags: ['spor'],
    schemaVersion: 39,
    timezone: 'browser',
    refresh: '30s',
    time: { from: 'now-3h', to: 'now' },
    links: [{ type: 'dashboards', tags: ['spor'], title: 'Spor', asDropdown: true, includeVars: true, keepTime: true }],
    templating: { list: [{ name: 'datasource', type: 'datasource', query: 'prometheus' }] },
    panels: panels.map(graph),
  });
}

function graph({ title, unit, queries, help }: Panel, index: number): object {
  return {
    id: index + 1,
    type: 'timeseries',
    title,
    ...(help ? { description: help } : {}),
    datasource: DATASOURCE,
    gridPos: { x: (index % COLUMNS) * WIDTH, y: Math.floor(index / COLUMNS) * HEIGHT, w: WIDTH, h: HEIGHT },
    fieldConfig: { defaults: { unit, min: 0 }, overrides: [] },
    options: { legend: { displayMode: 'list', placement: 'bottom' }, tooltip: { mode: 'multi' } },
    targets: queries.map(([expr, legendFormat], query) => ({
      refId: String.fromCharCode('A'.charCodeAt(0) + query),
      datasource: DATASOURCE,
      expr,
      legendFormat,
    })),
  };
}
