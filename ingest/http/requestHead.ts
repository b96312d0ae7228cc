import type { HttpRequest } from 'uWebSockets.js';
import { ReceiverError } from '../../schemas/errors.ts';
import { safeText } from '../events/safeText.ts';
import { codingOf, type Coding } from '../events/decompress.ts';
import { framingFault, type FramingHeaders } from './framing.ts';

const MAX_USER_AGENT_LENGTH = 512;

/** The parts of a request's head that the Event Receiver reads. */
export interface RequestHead {
  key: string | undefined;
  /** Two keys that differ: it is unsure which one is meant. */
  keysDiffer: boolean;
  authorization: string;
  origin: string | undefined;
  userAgent: string | undefined;
  /** Trace of the sender (W3C). */
  traceparent: string | undefined;
  contentType: string;
  contentEncoding: string;
  /** Undefined for a chunked body; 0 without a body. */
  contentLength: number | undefined;
  /** Names of headers that a preflight asks for. */
  preflightNames: string | undefined;
  /** Without the question mark; may be empty. */
  query: string;
  /** The reason why the end of the body is uncertain. */
  framingFault: string | undefined;
}

/** Copy the head: the request object does not outlive the handler. */
export function readHead(request: HttpRequest): RequestHead {
  const head: RequestHead = {
    key: undefined,
    keysDiffer: false,
    authorization: '',
    origin: undefined,
    userAgent: undefined,
    traceparent: undefined,
    contentType: '',
    contentEncoding: '',
    contentLength: 0,
    preflightNames: undefined,
    query: request.getQuery() ?? '',
    framingFault: undefined,
  };
  const framing: FramingHeaders = { lengths: [], transferEncodings: [] };
  request.forEach((name, value) => {
    switch (name) {
      case 'x-instrumentation-key':
        if (value === '') break;
        head.keysDiffer ||= head.key !== undefined && head.key !== value;
        head.key = value;
        break;
      case 'authorization':
        head.authorization = value;
        break;
      case 'access-control-request-headers':
        head.preflightNames = value;
        break;
      case 'origin':
        head.origin = value;
        break;
      case 'user-agent':
        head.userAgent = safeText(value, MAX_USER_AGENT_LENGTH);
        break;
      case 'traceparent':
        head.traceparent = value;
        break;
      case 'content-type':
        head.contentType = value;
        break;
      case 'content-encoding':
        // Two of them are two codings, one after the other (RFC 9110 §5.3).
        head.contentEncoding = head.contentEncoding === '' ? value : `${head.contentEncoding}, ${value}`;
        break;
      case 'transfer-encoding':
        framing.transferEncodings.push(value);
        break;
      case 'content-length':
        framing.lengths.push(value);
        head.contentLength = Number(value);
        break;
    }
  });
  head.framingFault = framingFault(framing);
  if (framing.transferEncodings.length > 0) head.contentLength = undefined;
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

/** Whether a body is JSON in UTF-8; one without a type may be, such as a beacon's Blob. */
function isUtf8Json(contentType: string): boolean {
  if (contentType === 'application/json' || contentType === '') return true;
  const [type = '', ...parameters] = contentType.toLowerCase().split(';');
  if (!['application/json', 'text/plain'].includes(type.trim())) return false;
  return parameters.every((parameter) => {
    const [name = '', value = ''] = parameter.split('=');
    return name.trim() !== 'charset' || ['utf-8', 'utf8', 'us-ascii'].includes(value.trim().replaceAll('"', ''));
  });
}
