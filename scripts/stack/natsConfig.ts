export interface NatsConfig {
  /** -1: any free port. */
  port: number;
  storeDir: string;
  /** Folder for the file with nats-server's ports. */
  portsDir: string;
  /** Loopback port of HTTP monitoring; absent: none. */
  monitorPort?: number;
  /** File with the users, beside or below the configuration; absent: anybody may connect. */
  usersFile?: string;
}

/**
 * The configuration of a nats-server for one machine.
 *
 * `sync_interval: always` lets an acknowledgement mean "on disk". The default acknowledges at once and syncs every two
 * minutes.
 */
export function natsConfig({ port, storeDir, portsDir, monitorPort, usersFile }: NatsConfig): string {
  const lines = [
    `listen: "127.0.0.1:${port}"`,
    'server_name: "spor"',
    `ports_file_dir: ${JSON.stringify(portsDir)}`,
    `jetstream { store_dir: ${JSON.stringify(storeDir)}, sync_interval: always }`,
    'max_payload: 1MB',
  ];
  if (monitorPort !== undefined) lines.push(`http: "127.0.0.1:${monitorPort}"`);
  if (usersFile !== undefined) lines.push(`include ${JSON.stringify(usersFile)}`);
  return `${lines.join('\n')}\n`;
}
