import { acceptLossCommand } from './acceptLoss.ts';
import { carryOverCommand } from './carryOver.ts';
import { group } from './command.ts';

/** Commands for streams whose store was lost or restored. */
export const streamsCommand = group(
  `Usage: spor stream <command>

  carry-over   move what a stream that was set back holds to a new stream
  accept-loss  end the mention of messages that are lost
`,
  { 'carry-over': carryOverCommand, 'accept-loss': acceptLossCommand },
);
