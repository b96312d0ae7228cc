import type { NatsConnection } from '../../stream/nats.ts';
import { delay } from '../../runtime/retry.ts';
import { listReports } from '../../query/insight/reports.ts';
import type { ContractAnswer } from './exchange.ts';
import { createCredentials, type ContractCredentials } from './credentials.ts';
import type { ContractRequest, CredentialHeaders } from './requests.ts';
import { runContract, type ContractReport } from './run.ts';

export interface ContractsOptions {
  ingestUrl: string;
  queryUrl: string;
  connection: NatsConnection;
  /** Requests to each server. */
  requests: number;
  seed: number;
}

export interface ContractsReport {
  receiver: ContractReport;
  query: ContractReport;
  /** Events that the receiver has acknowledged. */
  accepted: number;
  /** Rejected events in its answers. */
  rejected: number;
}

const STATEMENTS = [
  'select count(*) as n from events',
  'select * from events limit 3',
  'from quarantine limit 3',
  'select total, currency from orders limit 2',
  'select 1; select 2',
  'delete from events',
  "select * from read_parquet('/etc/passwd')",
  "select cast('x' as int)",
  'select * from nowhere',
  'select',
  '',
];

/** Drives both servers from their documents, with and without credentials. */
export async function runContracts(options: ContractsOptions): Promise<ContractsReport> {
  const { ingestUrl, queryUrl, connection, requests, seed } = options;
  const credentials = await createCredentials(connection);
  await untilKnown(options, credentials);
  const ledger = { accepted: 0, rejected: 0, receipts: [] as string[] };
  const receiver = await runContract({
    url: ingestUrl,
    requests,
    seed,
    credentials: credentials.senders,
    hints: {
      instrumentationKey: Object.values(credentials.senders[0]!),
      // The receiver corrects the clock of another time, and events would lie in the future.
      sentAt: [new Date().toISOString(), 'yesterday'],
    },
    onAnswer: (request, answer) => noteReceipt(ledger, request, answer),
  });
  const query = await runContract({
    url: queryUrl,
    requests,
    seed,
    credentials: credentials.readers,
    hints: {
      sql: STATEMENTS,
      name: [...listReports().map(({ name }) => name), 'unknown'],
      id: [...ledger.receipts.slice(0, 20), 'mgq3x0ab-2-1z-0', '0123456789abcdef', 'nonsense'],
      table: ['events', 'quarantine', 'nowhere'],
      tenant: ['contract-a', 'nobody', 'No Id'],
      segmentId: ['web', 'app'],
      segment: ['web', 'app', 'nowhere'],
    },
  });
  return { receiver, query, accepted: ledger.accepted, rejected: ledger.rejected };
}

function noteReceipt(
  ledger: { accepted: number; rejected: number; receipts: string[] },
  request: ContractRequest,
  { status, body }: ContractAnswer,
): void {
  if (status !== 202) return;
  const { receiptId, accepted, rejected } = JSON.parse(body.toString()) as {
    receiptId: string;
    accepted: number;
    rejected: unknown[];
  };
  ledger.accepted += accepted;
  ledger.rejected += rejected.length;
  ledger.receipts.push(receiptId);
}

/** Waits until both servers know the good key and the good token. */
async function untilKnown(
  { ingestUrl, queryUrl }: ContractsOptions,
  { senders, readers }: ContractCredentials,
): Promise<void> {
  const knows = async (url: string, headers: CredentialHeaders, method: string): Promise<boolean> =>
    (await fetch(url, { method, headers: { ...headers, 'content-type': 'application/json' } })).status !== 401;
  while (
    !(await knows(`${ingestUrl}/api/events?dryRun=1`, senders[0]!, 'POST')) ||
    !(await knows(`${queryUrl}/api/session`, readers[0]!, 'GET'))
  )
    await delay(20);
}
