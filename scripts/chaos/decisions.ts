import { parseReceipt, streamEpoch } from '../../schemas/receipt.ts';
import { streamName } from '../../schemas/subjects.ts';
import type { Loss } from '../../stream/streamsRecord.ts';
import type { ChaosLedger, Visitor } from './ledgerFile.ts';

/**
 * Where an event must be after an operator's decision, whatever the receiver answered.
 *
 * - `absent`: in no row of `events`, because it was erased or has expired.
 * - `present`: in one row, because it was redriven.
 * - `either`: both are right, because the decision is under way.
 */
export type Fate = 'absent' | 'present' | 'either';

/** A loss that an operator accepted after a store had gone back. */
export interface AcceptedLoss {
  /** Times of the copy and of its return, in milliseconds since 1970. */
  copiedMs: number;
  returnedMs: number;
  /** What Spor knows of it; absent: nobody who knew survived, and only the operator knows the times. */
  known?: Loss;
}

type Known = Pick<ChaosLedger, 'accepted' | 'refusedIds' | 'badIds' | 'visitorOf' | 'lastAcknowledgedMs'>;

/** What operators decided about events, which the comparison respects. */
export interface Decisions {
  /** Decides about all events of a visitor, past and future. */
  ofVisitor: (tenantId: string, visitor: Visitor, fate: Fate) => void;
  /** Decides about single events; undefined takes a decision back. */
  ofEvents: (ids: Iterable<string>, fate: Fate | undefined) => void;
  /** Decides about all events that are rejected with a code, past and future. */
  ofCode: (tenantId: string, code: string, fate: Fate) => void;
  acceptLoss: (loss: AcceptedLoss) => void;
  /** The last decision about an event; undefined: the receiver's answer stands. */
  fateOf: (tenantId: string, eventId: string) => Fate | undefined;
  /** Whether an event may be missing, because its loss was accepted. */
  isLossAccepted: (eventId: string) => boolean;
  /** Whether an acknowledgement at this time may be lost, in milliseconds since 1970. */
  isLossTime: (heardMs: number) => boolean;
}

export function createDecisions(ledger: Known): Decisions {
  const events = new Map<string, Fate>();
  const visitors = new Map<string, Fate>();
  const codes = new Map<string, Fate>();
  const losses: AcceptedLoss[] = [];
  const key = (tenantId: string, id: string): string => `${tenantId} ${id}`;
  const codeOf = (eventId: string): string => ledger.refusedIds.get(eventId)?.code ?? ledger.badIds.get(eventId) ?? '';

  return {
    ofVisitor: (tenantId, { anonymousId }, fate) => void visitors.set(key(tenantId, anonymousId), fate),
    ofEvents(ids, fate) {
      for (const id of ids) {
        if (fate === undefined) events.delete(id);
        else events.set(id, fate);
      }
    },
    ofCode: (tenantId, code, fate) => void codes.set(key(tenantId, code), fate),
    acceptLoss: (loss) => void losses.push(loss),
    fateOf(tenantId, eventId) {
      const visitor = ledger.visitorOf.get(eventId);
      return (
        (visitor && visitors.get(key(tenantId, visitor.anonymousId))) ??
        events.get(eventId) ??
        codes.get(key(tenantId, codeOf(eventId)))
      );
    },
    isLossTime: (heardMs) => losses.some(({ copiedMs, returnedMs }) => heardMs >= copiedMs && heardMs <= returnedMs),
    isLossAccepted(eventId) {
      const heardMs = ledger.lastAcknowledgedMs.get(eventId) ?? ledger.refusedIds.get(eventId)?.heardMs ?? Infinity;
      const receipt = parseReceipt(ledger.accepted.get(eventId)?.receiptId ?? '');
      return losses.some(({ copiedMs, returnedMs, known }) => {
        if (heardMs > returnedMs) return false;
        // A rejected batch has no receipt, so its time tells.
        if (!known || !receipt) return heardMs >= copiedMs;
        const { stream, created, after = 0, last = Infinity } = known;
        const isOfStream = stream === streamName(receipt.shard) && streamEpoch(created) === receipt.epoch;
        return isOfStream && receipt.sequence > after && receipt.sequence <= last;
      });
    },
  };
}
