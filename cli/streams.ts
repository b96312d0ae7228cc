import { acceptLossCommand } from './acceptLoss.ts';
import { carryOverCommand } from './carryOver.ts';
import { group } from './command.ts';
import { rewindCommand } from './rewind.ts';

/** Commands for streams whose store was lost or restored. */
export const streamsCommand = group(
  `Usage: spor stream <command>

  carry-over   move what a stream that was set back holds to a new stream
  accept-loss  end the mention of messages that are lost
  rewind       read the streams again, for a lake that was restored from an older copy
`,
  { 'carry-over': carryOverCommand, 'accept-loss': acceptLossCommand, rewind: rewindCommand },
);
