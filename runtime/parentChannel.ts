/**
 * Opens a child process's channel to its parent (childProcess.ts), and returns what sends a reply.
 *
 * The child ends when the channel does, so that it never outlives its parent. A terminal's SIGINT and a supervisor's SIGTERM
 * are the parent's to act on: it still needs the child to drain.
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
