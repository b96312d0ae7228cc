/**
 * Opens a child process's channel to its parent (childProcess.ts).
 *
 * The child ends with the channel, so it never outlives its parent. SIGINT and SIGTERM are left to the parent, which
 * still needs the child to drain.
 * @returns a function that sends a reply
 */
export function openParentChannel<Request, Reply>(onRequest: (request: Request) => void): (reply: Reply) => void {
  process.on('message', onRequest);
  process.on('disconnect', () => process.exit(0));
  process.on('SIGTERM', () => undefined);
  process.on('SIGINT', () => undefined);
  return (reply) => {
    if (process.connected) process.send?.(reply);
  };
}
