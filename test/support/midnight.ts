import { setTimeout as sleep } from 'node:timers/promises';
import { DAY_MS } from '../../runtime/units.ts';

/** Longer than the files take that count by the UTC date of today. */
const MARGIN_MS = 120_000;

// Runs before each test file: one that began a moment before midnight would end on another day than it expects.
const leftMs = DAY_MS - (Date.now() % DAY_MS);
if (leftMs < MARGIN_MS) await sleep(leftMs);
