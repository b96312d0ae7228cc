/**
 * Largest head of a request, in bytes: as much as nginx passes on (`large_client_header_buffers 4 8k`).
 *
 * uWebSockets has 4,096 by default, and reads this variable once, when its binary is loaded.
 */
process.env.UWS_HTTP_MAX_HEADERS_SIZE ??= '32768';

/** The uWebSockets library, with room for large heads. */
export const { App, us_listen_socket_close, us_socket_local_port } = await import('uWebSockets.js');
