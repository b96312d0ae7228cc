export interface NatsConfig {
  /** Unique in a cluster: servers of the same name never form one. */
  serverName?: string;
  /** -1: any free port. */
  port: number;
  storeDir: string;
  /** Folder for the file with nats-server's ports. */
  portsDir: string;
  /** Loopback port of HTTP monitoring; absent: none. */
  monitorPort?: number;
  /** File with the users, beside or below the configuration; absent: anybody may connect. */
  usersFile?: string;
  /** Address that the server tells clients instead of its own. */
  clientAdvertise?: string;
  cluster?: NatsCluster;
}

/** A server's place in a cluster. */
export interface NatsCluster {
  /** Loopback port for the other servers. */
  port: number;
  /** Password between the servers; absent: whoever reaches the port is a server. */
  password?: string;
  /** Addresses of the other servers. */
  routes: readonly string[];
  /** Address that it tells the other servers instead of its own. */
  advertise?: string;
}

/**
 * The configuration of a nats-server for one machine.
 *
 * `sync_interval: always` lets an acknowledgement mean "on disk". The default acknowledges at once and syncs every two
 * minutes.
 */
export function natsConfig(config: NatsConfig): string {
  const { serverName = 'spor', port, storeDir, portsDir, monitorPort, usersFile, clientAdvertise, cluster } = config;
  const lines = [
    `listen: "127.0.0.1:${port}"`,
    `server_name: ${JSON.stringify(serverName)}`,
    `ports_file_dir: ${JSON.stringify(portsDir)}`,
    `jetstream { store_dir: ${JSON.stringify(storeDir)}, sync_interval: always }`,
    'max_payload: 8MB',
  ];
  if (monitorPort !== undefined) lines.push(`http: "127.0.0.1:${monitorPort}"`);
  if (usersFile !== undefined) lines.push(`include ${JSON.stringify(usersFile)}`);
  if (clientAdvertise !== undefined) lines.push(`client_advertise: ${JSON.stringify(clientAdvertise)}`);
  if (cluster) lines.push(clusterBlock(cluster));
  return `${lines.join('\n')}\n`;
}

function clusterBlock({ port, password, routes, advertise }: NatsCluster): string {
  const login = password === undefined ? '' : `routes:${password}@`;
  const lock = password === undefined ? '' : `, authorization: { user: routes, password: ${JSON.stringify(password)} }`;
  const addresses = routes.map((address) => JSON.stringify(`nats-route://${login}${address}`));
  const told = advertise === undefined ? '' : `, cluster_advertise: ${JSON.stringify(advertise)}`;
  return `cluster { name: "spor", listen: "127.0.0.1:${port}", routes: [${addresses.join(', ')}]${told}${lock} }`;
}
