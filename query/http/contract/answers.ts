import { OUTCOMES, type EventOutcome, type ReceiptAnswer } from '../../audit/receipt.ts';
import type { RecentDuplicates } from '../../audit/recentDuplicates.ts';
import type { Completeness } from '../../audit/completeness.ts';
import type { AnswerSnapshot, QueryAnswer } from '../../engine/query.ts';
import { FORMATS, type AnswerColumn } from '../../formats/formats.ts';
import type { Report, ReportParameter } from '../../insight/reports.ts';
import type { ListedChanges, ListedFile } from '../../../lake/delta/changeList.ts';
import type { OpenApi } from '../../../schemas/openapi/openApi.ts';
import type { LagAnswer } from './lagAnswer.ts';
import {
  choiceField,
  decimalField,
  flagField,
  listField,
  objectOf,
  refField,
  optional,
  nullable,
  textField,
  textsField,
  timeField,
  valuesField,
  wholeField,
} from './schemaWords.ts';

interface Asked {
  sql: string;
  format?: string;
  from?: string;
  to?: string;
  snapshot?: string;
  version?: number;
  maxRows?: number;
}
type Commit = ListedChanges['commits'][number];
type TimedCompleteness = Completeness & { date?: string; complete?: boolean };
type TimedAnswer = QueryAnswer & { report?: string; from?: string; to?: string; zone?: string };

const day = (description: string): ReturnType<typeof textField> => ({
  schema: { type: 'string', format: 'date', description },
});

/** Schemas of SQL, reports, audit, changes and probes. */
export const ANSWER_SCHEMAS: Readonly<Record<string, OpenApi>> = {
  QueryRequest: {
    ...objectOf<Asked>('One SQL statement over the events of a tenant.', {
      sql: textField('The statement. It reads views such as events_all; docs/data-scientist.md lists them.'),
      format: optional(choiceField(Object.keys(FORMATS), 'Format of the answer. Absent: the Accept header decides.')),
      from: optional(day('First UTC date of the events; files of other dates are not read.')),
      to: optional(day('Last UTC date of the events.')),
      snapshot: optional(choiceField(['live', 'committed'], 'With or without events that are not committed yet.')),
      version: optional(wholeField('Committed version of the table.')),
      maxRows: optional(wholeField('Most rows of the answer.')),
    }),
    additionalProperties: false,
  },
  QueryAnswer: objectOf<TimedAnswer>('Rows of a statement or a report.', {
    report: optional(textField('Name of the report.')),
    from: optional(day('First date of the report.')),
    to: optional(day('The date after the last of the report.')),
    zone: optional(textField('Time zone of the dates of the report.')),
    truncated: flagField('Whether there are more rows than a limit allows.'),
    columns: listField('AnswerColumn', 'The columns, in the order of the values.'),
    rows: {
      schema: {
        type: 'array',
        description: 'A list of values for each row. Decimals are text, so that no digit is lost.',
        items: { type: 'array', items: {} },
      },
    },
    rowCount: wholeField('Number of rows.'),
    botsLeftOut: optional(wholeField('Number of events of bots that the relations leave out; absent: none.')),
    snapshot: refField('AnswerSnapshot'),
    elapsedMs: wholeField('Time that the statement took, in milliseconds.'),
  }),
  AnswerColumn: objectOf<AnswerColumn>('A column of an answer.', {
    name: textField('Name of the column.'),
    type: textField('Its type in DuckDB.'),
  }),
  AnswerSnapshot: objectOf<AnswerSnapshot>('The state that an answer is from.', {
    version: wholeField('Version of the events table; -1: no table yet.'),
    files: wholeField('Number of files that were read.'),
    liveness: textField('"live" with events that are not committed yet, else "committed".'),
    at: timeField('Time of the state.'),
    sequence: optional(wholeField('Sequence of the last uncommitted message.')),
  }),
  ReportList: objectOf<{ reports: Report[] }>('All reports.', { reports: listField('Report', 'The reports.') }),
  Report: objectOf<Report>('A report and what it means.', {
    name: textField('Name of the report.'),
    summary: textField('What it shows.'),
    group: textField('Group of reports.'),
    row: textField('Meaning of a row.'),
    period: textField('Meaning of the period.'),
    segment: optional(textField('Meaning of the segment; absent: the report takes none.')),
    allHistory: flagField('Whether it reads all stored events.'),
    columns: listField('ReportColumn', 'Its columns.'),
    nulls: textField('Which values are NULL, and which are 0.'),
    needs: textField('Events and fields that it needs.'),
    source: textField('Where its definition is from.'),
    parameters: listField('ReportParameter', 'Its own parameters.'),
  }),
  ReportColumn: objectOf<Report['columns'][number]>('A column of a report.', {
    name: textField('Name of the column.'),
    description: textField('Its meaning.'),
  }),
  ReportParameter: objectOf<ReportParameter>('A parameter of a report.', {
    name: textField('Name in the address.'),
    type: choiceField(['INTEGER', 'DOUBLE', 'TEXT'], 'Its type.'),
    default: nullable(decimalField('Its value if absent; null: none, as of a text.')),
    description: textField('Its meaning.'),
  }),
  ReceiptState: objectOf<ReceiptAnswer>('The state of each event of a batch.', {
    receiptId: textField('The receipt.'),
    tenantId: textField('The tenant.'),
    segmentId: textField('The segment.'),
    receivedAt: timeField('Time of receipt.'),
    stream: choiceField(['held', 'expired'], 'expired: the answer lists only what the lake has.'),
    accepted: optional(wholeField('Number of accepted events.')),
    refused: optional(wholeField('Number of rejected events.')),
    states: valuesField(wholeField('Number of events.'), 'Number of events in each state.'),
    versions: valuesField(wholeField('Version.'), 'Versions of the tables that the answer is from.'),
    committedIn: optional(wholeField('Version of the events table that added the rows.')),
    events: listField('EventState', 'The events.'),
  }),
  EventState: objectOf<EventOutcome>('The state of an event.', {
    index: nullable(wholeField("Position in the sender's batch, from 0; null for a whole body.")),
    eventId: nullable(textField('Id of the event.')),
    type: nullable(textField('Type of the event.')),
    state: choiceField(OUTCOMES, 'What became of it; docs/integrator.md explains each.'),
    file: optional(textField('Data file in the lake.')),
    of: optional(refField('StoredEvent')),
    code: optional(textField('Code of its rejection, or duplicate_differs.')),
    path: optional(textField('JSON pointer to the fault.')),
    message: optional(textField('The fault.')),
  }),
  RecentDuplicates: objectOf<RecentDuplicates>('Resends that the newest commits dropped.', {
    tenantId: textField('The tenant.'),
    from: nullable(day('First UTC day of receipt among the commits; null: no event.')),
    accepted: wholeField('Accepted events.'),
    duplicate: wholeField('Resends that were dropped.'),
    differing: wholeField('Those with the id of an event, and other content.'),
    receipts: textsField('Receipts of batches with such events, the newest first.'),
  }),
  StoredEvent: objectOf<NonNullable<EventOutcome['of']>>('The stored event that a duplicate repeats.', {
    receiptId: textField('Its receipt.'),
    index: nullable(wholeField('Its position.')),
    file: textField('Its data file.'),
  }),
  Completeness: objectOf<TimedCompleteness>('Times up to which the lake has every event.', {
    tenantId: textField('The tenant.'),
    acknowledgedBefore: nullable(timeField('Every event acknowledged before is in the lake; null: unknown.')),
    receivedBefore: nullable(timeField('Every event received before is in the lake; null: unknown.')),
    completeThrough: nullable(day('Last complete UTC date of receipt; null: unknown.')),
    waiting: optional(refField('WaitingEvent')),
    clocksDiffer: optional(textField('Time of each clock, if they differ too much.')),
    fault: optional(refField('StreamFault')),
    date: optional(day('The date that was asked for.')),
    complete: optional(flagField('Whether that date is complete.')),
  }),
  WaitingEvent: objectOf<NonNullable<Completeness['waiting']>>('The first event that is not in the lake.', {
    sequence: wholeField('Sequence of its message.'),
    acknowledgedAt: timeField('Time of its acknowledgement.'),
  }),
  StreamFault: objectOf<NonNullable<Completeness['fault']>>('Why no time is known.', {
    code: choiceField(['stream_set_back', 'stream_gone', 'stream_restarted'], 'The kind of fault.'),
    message: textField('The fault and what to do.'),
  }),
  Changes: objectOf<ListedChanges>('Files added to and removed from a table.', {
    url: textField('Location of the table.'),
    since: nullable(wholeField('The version asked for; null: none.')),
    version: wholeField('The next "since"; -1: no table yet.'),
    more: flagField('Whether there are more commits: ask again at once.'),
    commits: listField('Commit', 'The commits.'),
  }),
  Commit: objectOf<Commit>('A commit of a table.', {
    version: wholeField('Its version.'),
    committedAt: nullable(timeField('Its time; null: unknown.')),
    added: listField('DataFile', 'Added files.'),
    removed: listField('DataFile', 'Removed files.'),
  }),
  DataFile: objectOf<ListedFile>('A data file.', {
    path: textField('Path below "url".'),
    bytes: optional(wholeField('Its size.')),
    rows: optional(wholeField('Its number of rows.')),
    partition: valuesField(nullable(textField('Value.')), 'Values of the partition columns.'),
  }),
  Lag: objectOf<LagAnswer>("Backlog of the tenant's shard.", {
    at: wholeField('Time of the answer, in milliseconds since 1970.'),
    shard: wholeField('The shard.'),
    lagMessages: wholeField('Messages that are not committed yet.'),
    behindMs: wholeField('Age of the oldest of them, in milliseconds; 0 without one.'),
    lastCommit: optional(timeField('When the stream stored the last message that is in the lake.')),
  }),
  Health: objectOf<{ status: string }>('State of this process.', { status: textField('"ok" or "ready".') }),
  OpenApiDocument: { type: 'object', description: 'An OpenAPI document.', additionalProperties: true },
} satisfies Record<string, OpenApi>;
