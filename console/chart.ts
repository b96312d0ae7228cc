import uPlot from 'uplot';
import { dataTable } from './dataTable.ts';
import { h, newId } from './dom.ts';
import { count } from './format.ts';

export interface ChartSeries {
  label: string;
  /** One value per x; undefined leaves a gap. */
  values: readonly (number | undefined)[];
}

export interface ChartOptions {
  /** Name of the chart and of its table. */
  title: string;
  /** Name of x, for the table's first column. */
  xTitle: string;
  x: readonly number[];
  /** An x as text: on the axis, under the cursor and in the table. */
  xName: (x: number) => string;
  series: readonly ChartSeries[];
  kind: 'lines' | 'bars';
  format?: (value: unknown) => string;
  /** A short form of x for the axis. */
  axisFormat?: (value: unknown) => string;
}

const HEIGHT = 220;
const COLOURS = ['--chart-1', '--chart-2', '--chart-3', '--chart-4', '--chart-5', '--chart-6'];
/** Steps of an axis of counts, which have no halves. */
const WHOLE_STEPS = Array.from({ length: 16 }, (_, power) => [1, 2, 5].map((step) => step * 10 ** power)).flat();
const DASHES: number[][] = [[], [7, 4], [2, 3], [10, 3, 2, 3], [4, 4], [1, 4]];

/**
 * A chart with a table of its numbers.
 *
 * Assistive software sees a picture with a name, and the table holds every number. Series differ by dash as well as by
 * colour.
 */
export function chart(options: ChartOptions): HTMLElement {
  const { title, xTitle, x, xName, series, format = count } = options;
  const canvas = h('div', { class: 'chart-canvas', role: 'img', 'aria-label': summary(options, format) });
  const readout = h('p', { class: 'chart-readout', 'aria-hidden': 'true' });
  const names = series.map(({ label }, index) => legendItem(label, index, series.length));
  const rows = x.map((value, index) => ({ value, index }));
  const table = dataTable({
    caption: title,
    columns: [
      { title: xTitle, value: ({ value }) => xName(value) },
      ...series.map(({ label, values }) => ({
        title: label,
        value: ({ index }: { index: number }) => values[index],
        show: (cell: unknown) => format(cell),
        numeric: true,
      })),
    ],
    rows,
  });
  draw(canvas, readout, options, format);
  return h(
    'div',
    { class: 'chart' },
    series.length > 1 ? h('ul', { class: 'legend', 'aria-hidden': 'true' }, ...names) : null,
    canvas,
    readout,
    h('details', { class: `chart-table ${newId('table').split('-')[0]}` }, h('summary', {}, 'Show as table'), table),
  );
}

function summary({ title, x, xName, series }: ChartOptions, format: (value: unknown) => string): string {
  if (x.length === 0) return `${title}: nothing yet`;
  const totals = series.map(({ label, values }) => {
    const known = values.filter((value) => value !== undefined);
    return `${label}: at most ${format(Math.max(0, ...known))}, last ${format(values.at(-1))}`;
  });
  return `${title}, ${xName(x[0]!)} to ${xName(x.at(-1)!)}. ${totals.join('; ')}. The table below has every number.`;
}

function legendItem(label: string, index: number, of: number): HTMLElement {
  const mark = h('span', { class: 'legend-mark' });
  mark.style.borderTopColor = `var(${COLOURS[index % COLOURS.length]})`;
  mark.style.borderTopStyle = of > 1 && index % COLOURS.length > 0 ? (index % 2 === 1 ? 'dashed' : 'dotted') : 'solid';
  return h('li', {}, mark, label);
}

/** Draws once the element is shown, and again when width or theme change. */
function draw(
  canvas: HTMLElement,
  readout: HTMLElement,
  options: ChartOptions,
  format: (value: unknown) => string,
): void {
  let plot: uPlot | undefined;
  let theme = '';
  const render = (width: number): void => {
    const style = getComputedStyle(canvas);
    const now = style.getPropertyValue('color');
    if (plot && now === theme) return plot.setSize({ width, height: HEIGHT });
    theme = now;
    plot?.destroy();
    plot = new uPlot(plotOptions(width, resolver(canvas), options, readout, format), plotData(options), canvas);
  };
  const observer = new ResizeObserver(([entry]) => {
    const width = Math.floor(entry?.contentRect.width ?? 0);
    if (width > 0) requestAnimationFrame(() => (canvas.isConnected ? render(width) : undefined));
  });
  observer.observe(canvas);
  const onTheme = (): void => {
    if (!canvas.isConnected) return document.removeEventListener('themechange', onTheme);
    if (plot) render(plot.width);
  };
  document.addEventListener('themechange', onTheme);
}

function plotData({ x, series }: ChartOptions): uPlot.AlignedData {
  return [[...x], ...series.map(({ values }) => values.map((value) => value ?? null))] as uPlot.AlignedData;
}

/** Resolves custom properties to colours, because the canvas does not know light-dark(). */
function resolver(canvas: HTMLElement): (name: string) => string {
  return (name) => {
    const probe = h('span', { hidden: true });
    probe.style.color = `var(${name})`;
    canvas.append(probe);
    const { color } = getComputedStyle(probe);
    probe.remove();
    return color;
  };
}

function plotOptions(
  width: number,
  colour: (name: string) => string,
  { x, xName, series, kind, axisFormat }: ChartOptions,
  readout: HTMLElement,
  format: (value: unknown) => string,
): uPlot.Options {
  const axis: uPlot.Axis = {
    stroke: colour('--text-quiet'),
    font: `12px ${getComputedStyle(document.body).fontFamily}`,
    grid: { stroke: colour('--line'), width: 1 },
    ticks: { stroke: colour('--line'), width: 1, size: 4 },
  };
  const bars = uPlot.paths.bars!({ size: [0.7, 48], radius: 0.15 });
  const padding = kind === 'bars' && x.length > 0 ? step(x) / 2 : 0;
  return {
    width,
    height: HEIGHT,
    padding: [12, 28, 0, 0],
    legend: { show: false },
    cursor: { y: false, drag: { x: false, y: false }, points: { size: 6 } },
    scales: {
      x: { time: false, range: (_, min, max) => [min - padding, max + padding] },
      y: { range: (_, __, max) => [0, max > 0 ? max * 1.08 : 1] },
    },
    axes: [
      { ...axis, splits: ({ width: now }) => ticks(x, now), values: (_, splits) => splits.map(xName), size: 32 },
      {
        ...axis,
        ...(format === count ? { incrs: WHOLE_STEPS } : {}),
        values: (_, splits) => splits.map(axisFormat ?? format),
        size: 64,
      },
    ],
    series: [
      {},
      ...series.map(({ label, values }, index): uPlot.Series => {
        const stroke = colour(COLOURS[index % COLOURS.length]!);
        return kind === 'bars'
          ? { label, stroke, fill: stroke, width: 0, paths: bars, points: { show: false } }
          : { label, stroke, width: 2, dash: DASHES[index % DASHES.length]!, points: { show: isSparse(values) } };
      }),
    ],
    hooks: {
      setCursor: [
        ({ cursor: { idx } }) => {
          const shown =
            idx === null || idx === undefined
              ? ''
              : [xName(x[idx]!), ...series.map(({ label, values }) => `${label} ${format(values[idx])}`)].join(' · ');
          readout.textContent = shown;
        },
      ],
    },
  };
}

/** Whether a line would leave out values, which have no neighbour to be joined with. */
function isSparse(values: readonly (number | undefined)[]): boolean {
  return values.some(
    (value, index) => value !== undefined && values[index - 1] === undefined && values[index + 1] === undefined,
  );
}

/** Marks of the x axis at existing values, as many as fit. */
function ticks(x: readonly number[], width: number): number[] {
  const room = Math.max(1, Math.floor((width - 80) / 80));
  const every = Math.max(1, Math.ceil(x.length / room));
  return x.filter((_, index) => index % every === 0);
}

function step(x: readonly number[]): number {
  return x.length < 2 ? 1 : x[1]! - x[0]!;
}
