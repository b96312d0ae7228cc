export type * from './api.ts';
export type { Host } from './host.ts';
export { createTracker } from './tracker.ts';
