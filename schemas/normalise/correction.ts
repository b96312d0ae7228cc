/** Kinds of corrections. Rows, receipts and metrics name them, so they are stable. */
export const CORRECTIONS = {
  empty: 'Null, or an empty text, in an optional field. The field is left out.',
  retyped: 'A number or "true" given as text, or an id given as a whole number. It becomes the type of the schema.',
  respelled:
    'A currency in small letters, or a date-time with a blank, small letters or a zone without a colon. It is written as the schema says.',
  rounded: 'An amount or quantity with more than four decimals. It is rounded to four, halves away from zero.',
  shortened: 'A free text or an optional list over its limit. It is cut at the limit, a text between characters.',
  repaired: 'Half of a surrogate pair, U+0000, or bytes that are not UTF-8, in a free text. Each becomes U+FFFD.',
  left_out: 'A value that cannot be used in an optional field, an optional list or beside "events". It is left out.',
  clock:
    'sentAt is long before the receipt. The body may have been stored and sent later, so timestamps stay as they are.',
} as const;

export type CorrectionKind = keyof typeof CORRECTIONS;

/** One change of an event before it was validated. */
export interface Correction {
  kind: CorrectionKind;
  /** JSON pointer into the event as it was sent. */
  path: string;
}

/** Most corrections of an event that are noted; further ones are made without a note. */
export const MOST_CORRECTIONS = 50;
const MAX_PATH_LENGTH = 200;

/** Corrections of one event, in the order in which they are made. */
export class CorrectionNotes {
  readonly list: Correction[] = [];

  note(kind: CorrectionKind, path: string): void {
    if (this.list.length === MOST_CORRECTIONS) return;
    this.list.push({ kind, path: path.slice(0, MAX_PATH_LENGTH).replaceAll('\0', '\uFFFD').toWellFormed() });
  }

  /** Position to return to, if the value is left out after all. */
  get mark(): number {
    return this.list.length;
  }

  /** Forget the corrections after a mark. */
  returnTo(mark: number): void {
    this.list.length = mark;
  }
}
