import { LakeError } from '../lake/errors.ts';
import { UsageError } from './command.ts';

/** What a question to the lake gives, with its refusal of the arguments as wrong use of the command. */
export function wrongUse<T>(ask: () => T): T {
  try {
    return ask();
  } catch (error) {
    if (error instanceof LakeError) throw new UsageError(error.message);
    throw error;
  }
}
