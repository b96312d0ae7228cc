import type { SqlEngine, SqlSession } from './sqlEngine.ts';

/** Runs a task with a session of its own, which is closed afterwards. */
export async function withSession<T>(engine: SqlEngine, task: (session: SqlSession) => Promise<T>): Promise<T> {
  const session = engine.session();
  try {
    return await task(session);
  } finally {
    await session.close();
  }
}
