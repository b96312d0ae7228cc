import type { HttpRequest } from 'uWebSockets.js';
import { ReceiverError } from '../../schemas/errors.ts';
import { safeText } from '../events/safeText.ts';
import { codingOf, type Coding } from '../events/decompress.ts';

const MAX_USER_AGENT_LENGTH = 512;

/** The parts of a request's head that the Event Receiver reads. */
export interface RequestHead {
  key: string | undefined;
  origin: string | undefined;
  userAgent: string | undefined;
  contentType: string;
  contentEncoding: string;
  /** Undefined for a chunked body. */
  contentLength: number | undefined;
  /** Without the question mark; may be empty. */
  query: string;
  /** The length is given twice or not in digits, so the end of the body is unknown. */
  framingFault: string | undefined;
}

/** Copy the head: the request object does not outlive the handler. */
export function readHead(request: HttpRequest): RequestHead {
  const head: RequestHead = {
    key: undefined,
    origin: undefined,
    userAgent: undefined,
    contentType: '',
    contentEncoding: '',
    contentLength: undefined,
    query: request.getQuery() ?? '',
    framingFault: undefined,
  };
  let chunked = false;
  request.forEach((name, value) => {
    switch (name) {
      case 'x-instrumentation-key':
        if (value !== '') head.key = value;
        break;
      case 'origin':
        head.origin = value;
        break;
      case 'user-agent':
        head.userAgent = safeText(value, MAX_USER_AGENT_LENGTH);
        break;
      case 'content-type':
        head.contentType = value;
        break;
      case 'content-encoding':
        head.contentEncoding = value;
        break;
      case 'transfer-encoding':
        chunked = true;
        break;
      case 'content-length':
        if (head.contentLength !== undefined) head.framingFault = 'Content-Length is given twice';
        else if (!/^\d{1,15}$/.test(value)) head.framingFault = 'Content-Length is not a number';
        head.contentLength = Number(value);
        break;
    }
  });
  if (chunked && head.contentLength !== undefined)
    head.framingFault = 'Content-Length and Transfer-Encoding exclude each other';
  return head;
}

/**
 * Check the media type, and return the coding of the body.
 * @throws ReceiverError content_type_unsupported, encoding_unsupported
 */
export function bodyCoding(head: RequestHead): Coding {
  if (!isUtf8Json(head.contentType)) {
    throw new ReceiverError(
      'content_type_unsupported',
      `Content-Type ${JSON.stringify(head.contentType.slice(0, 80))} is not read here. Send application/json (or text/plain holding JSON), in UTF-8.`,
    );
  }
  return codingOf(head.contentEncoding);
}

function isUtf8Json(contentType: string): boolean {
  if (contentType === 'application/json') return true;
  const [type = '', ...parameters] = contentType.toLowerCase().split(';');
  if (!['application/json', 'text/plain'].includes(type.trim())) return false;
  return parameters.every((parameter) => {
    const [name = '', value = ''] = parameter.split('=');
    return name.trim() !== 'charset' || ['utf-8', 'utf8', 'us-ascii'].includes(value.trim().replaceAll('"', ''));
  });
}
