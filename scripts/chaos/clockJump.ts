/**
 * Lets the supervisor set the clock of a service (`node --import`).
 *
 * A message `{clockOffsetMs}` shifts the clock of our code only. Monotonic time does not jump, as with a real clock.
 */
const RealDate = Date;
let offsetMs = 0;
const now = (): number => RealDate.now() + offsetMs;

globalThis.Date = new Proxy(RealDate, {
  construct: (target, args: unknown[], newTarget) =>
    Reflect.construct(target, args.length === 0 ? [now()] : args, newTarget) as Date,
  apply: () => new RealDate(now()).toString(),
  get: (target, name, receiver) => (name === 'now' ? now : (Reflect.get(target, name, receiver) as unknown)),
});

process.on('message', (message: { clockOffsetMs?: number }) => {
  if (message.clockOffsetMs !== undefined) offsetMs = message.clockOffsetMs;
});
