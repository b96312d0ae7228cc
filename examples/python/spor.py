"""Orders to Spor, with an outbox in SQLite. Python 3.8 or newer, standard library only.

python3 spor.py add ORDER_ID PRODUCT_ID QUANTITY UNIT_PRICE    in the transaction that stores the order
python3 spor.py send                                           from cron or a worker, each minute
"""
import json, os, random, secrets, sqlite3, sys, time, urllib.error, urllib.request
from datetime import datetime, timezone
from decimal import Decimal

BATCH, ATTEMPTS, LONGEST_WAIT = 100, 8, 60
db = sqlite3.connect(os.environ["SPOR_OUTBOX"])
db.execute("CREATE TABLE IF NOT EXISTS outbox (id TEXT PRIMARY KEY, event TEXT NOT NULL, verdict TEXT)")


def now():
    return datetime.now(timezone.utc).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def add(order_id, product_id, quantity, unit_price):
    total = (Decimal(quantity) * Decimal(unit_price)).quantize(Decimal("0.01"))  # never add or multiply floats
    rest = secrets.token_hex(9)
    event_id = f"{time.time_ns() // 1_000_000:012x}7{rest[:3]}8{rest[3:]}"  # UUID 7: made once, kept on every resend
    line = {"productId": product_id, "quantity": float(quantity), "unitPrice": float(unit_price)}
    event = {"eventId": "-".join((event_id[:8], event_id[8:12], event_id[12:16], event_id[16:20], event_id[20:])),
             "type": "OrderCreated", "timestamp": now(), "anonymousId": "a-1", "orderId": order_id, "currency": "DKK",
             "total": float(total), "lines": [line]}
    with db:
        db.execute("INSERT INTO outbox (id, event) VALUES (?, ?)", (event["eventId"], json.dumps(event)))


def post(events):
    """The status, the answer as JSON ({} if it is not the receiver's) and Retry-After."""
    body = '{"sentAt":"%s","events":[%s]}' % (now(), ",".join(events))
    headers = {"Content-Type": "application/json", "X-Instrumentation-Key": os.environ["SPOR_KEY"]}
    request = urllib.request.Request(os.environ["SPOR_URL"] + "/api/events", body.encode(), headers)
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            status, text, wait = answer.status, answer.read(), 0
    except urllib.error.HTTPError as error:
        status, text, wait = error.code, error.read(), error.headers.get("Retry-After", 0)
    except OSError:
        return 0, {}, 0
    try:
        return status, json.loads(text), float(wait)
    except ValueError:
        return status, {}, 0


def send():
    most, failures = BATCH, 0
    while rows := db.execute("SELECT id, event FROM outbox WHERE verdict IS NULL ORDER BY id LIMIT ?", (most,)).fetchall():
        status, answer, wait = post([event for _, event in rows])
        if "receiptId" in answer or answer.get("code") == "no_valid_event":  # the receiver's word about each event
            verdicts = {rows[one["index"]][0]: json.dumps(one) for one in answer["rejected"]}
            with db:
                db.executemany("UPDATE outbox SET verdict = ? WHERE id = ?", [(text, id) for id, text in verdicts.items()])
                db.executemany("DELETE FROM outbox WHERE id = ?", [(id,) for id, _ in rows if id not in verdicts])
            most, failures = BATCH, 0
        elif status == 413 and "code" in answer and most > 1:
            most = max(1, min(most, len(rows)) // 2)
        elif "code" in answer and status < 500 and status != 429:
            sys.exit(f"{status} {answer['code']}: {answer['message']}")  # a person must act; the outbox keeps all
        else:  # 429, 500, 503, no answer, or a proxy's 502, 504 or page: send the same events again
            failures += 1
            if failures == ATTEMPTS:
                sys.exit("Spor does not answer; the next run goes on")
            time.sleep(max(wait, random.uniform(0, min(LONGEST_WAIT, 0.5 * 2**failures))))


add(*sys.argv[2:]) if sys.argv[1] == "add" else send()
