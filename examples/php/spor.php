<?php
// Orders to Spor, with an outbox of files. PHP 7.4 or newer, no extensions.
//
// php spor.php add ORDER_ID PRODUCT_ID QUANTITY UNIT_PRICE    when the order is stored
// php spor.php send                                           from cron or a worker, each minute
const BATCH = 100, ATTEMPTS = 8, LONGEST_WAIT = 60;
define('OUTBOX', getenv('SPOR_OUTBOX'));
@mkdir(OUTBOX . '/rejected', 0700, true);

function now(): string {
    return gmdate('Y-m-d\TH:i:s') . sprintf('.%03dZ', (int) (fmod(microtime(true), 1) * 1000));
}

function add(string $orderId, string $productId, string $quantity, string $unitPrice): void {
    // Whole numbers of ten-thousandths: never add or multiply floats.
    $units = (int) round((float) $quantity * 10000) * (int) round((float) $unitPrice * 10000);
    $random = bin2hex(random_bytes(9));
    $hex = sprintf('%012x7%s8%s', (int) (microtime(true) * 1000), substr($random, 0, 3), substr($random, 3));
    $id = preg_replace('/^(.{8})(.{4})(.{4})(.{4})/', '$1-$2-$3-$4-', $hex); // UUID 7: made once, kept on every resend
    $line = ['productId' => $productId, 'quantity' => (float) $quantity, 'unitPrice' => (float) $unitPrice];
    $event = ['eventId' => $id, 'type' => 'OrderCreated', 'timestamp' => now(), 'anonymousId' => 'a-1', 'orderId' => $orderId,
        'currency' => 'DKK', 'total' => round($units / 1e8, 2), 'lines' => [$line]];
    ini_set('serialize_precision', '-1'); // 0.1, and not 0.10000000000000001
    file_put_contents(OUTBOX . "/$id.new", json_encode($event, JSON_THROW_ON_ERROR));
    rename(OUTBOX . "/$id.new", OUTBOX . "/$id.json"); // a reader never sees half a file
}

/** The status, the answer as an array ([] if it is not the receiver's) and Retry-After. */
function post(array $events): array {
    $headers = ['Content-Type: application/json', 'X-Instrumentation-Key: ' . getenv('SPOR_KEY')];
    $body = sprintf('{"sentAt":"%s","events":[%s]}', now(), implode(',', $events));
    $http = ['method' => 'POST', 'header' => $headers, 'content' => $body, 'ignore_errors' => true, 'timeout' => 30];
    $stream = @fopen(getenv('SPOR_URL') . '/api/events', 'r', false, stream_context_create(['http' => $http]));
    if ($stream === false) return [0, [], 0];
    $head = stream_get_meta_data($stream)['wrapper_data'];
    $text = (string) stream_get_contents($stream);
    $wait = preg_match('/^retry-after: *(\d+)/im', implode("\n", $head), $found) ? (float) $found[1] : 0;
    $answer = json_decode($text, true);
    return [(int) explode(' ', $head[0])[1], is_array($answer) ? $answer : [], $wait];
}

function stop(string $why): void {
    fwrite(STDERR, "$why\n");
    exit(1);
}

function send(): void {
    [$most, $failures] = [BATCH, 0];
    while ($files = array_slice(glob(OUTBOX . '/*.json'), 0, $most)) {
        [$status, $answer, $wait] = post(array_map('file_get_contents', $files));
        $code = $answer['code'] ?? null;
        if (isset($answer['receiptId']) || $code === 'no_valid_event') { // the receiver's word about each event
            foreach ($answer['rejected'] as $verdict) {
                $to = OUTBOX . '/rejected/' . basename($files[$verdict['index']]);
                file_put_contents("$to.verdict", json_encode($verdict));
                rename($files[$verdict['index']], $to);
            }
            foreach ($files as $file) if (is_file($file)) unlink($file);
            [$most, $failures] = [BATCH, 0];
        } elseif ($status === 413 && $code !== null && $most > 1) {
            $most = max(1, intdiv(count($files), 2));
        } elseif ($code !== null && $status < 500 && $status !== 429) {
            stop("$status $code: {$answer['message']}"); // a person must act; the outbox keeps all
        } else { // 429, 500, 503, no answer, or a proxy's 502, 504 or page: send the same events again
            if (++$failures === ATTEMPTS) stop('Spor does not answer; the next run goes on');
            usleep((int) (1e6 * max($wait, mt_rand() / mt_getrandmax() * min(LONGEST_WAIT, 0.5 * 2 ** $failures))));
        }
    }
}

$argv[1] === 'add' ? add(...array_slice($argv, 2)) : send();
