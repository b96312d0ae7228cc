#!/bin/sh
# Orders to Spor, with an outbox of files. A POSIX shell, curl and awk.
#
#   sh spor.sh add ORDER_ID PRODUCT_ID QUANTITY UNIT_PRICE    when the order is stored; ids without quotes
#   sh spor.sh send                                           from cron, each minute
set -eu
batch=100 attempts=8 longest_wait=60
mkdir -p "$SPOR_OUTBOX/rejected"
now() { date -u +%Y-%m-%dT%H:%M:%SZ; }

add() {
  total=$(awk -v quantity="$3" -v price="$4" 'BEGIN { printf "%.2f", quantity * price }') # rounded once, at the end
  # UUID 4: made once, kept on every resend.
  id=$(od -An -N16 -tx1 /dev/urandom | tr -d ' \n' | sed 's/^\(.\{8\}\)\(.\{4\}\).\(...\).\(...\)\(.\{12\}\)$/\1-\2-4\3-8\4-\5/')
  printf '{"eventId":"%s","type":"OrderCreated","timestamp":"%s","anonymousId":"a-1","orderId":"%s","currency":"DKK","total":%s,"lines":[{"productId":"%s","quantity":%s,"unitPrice":%s}]}' \
    "$id" "$(now)" "$1" "$total" "$2" "$3" "$4" > "$SPOR_OUTBOX/$id.new"
  mv "$SPOR_OUTBOX/$id.new" "$SPOR_OUTBOX/$id.json" # a reader never sees half a file
}

send() {
  most=$batch failures=0 work=$(mktemp -d)
  trap 'rm -rf "$work"' EXIT
  while :; do
    set -- $(ls "$SPOR_OUTBOX" | grep '\.json$' | head -n "$most")
    [ $# -gt 0 ] || return 0
    rm -f "$work"/*
    { printf '{"sentAt":"%s","events":[' "$(now)"
      separator=
      for name; do printf '%s' "$separator"; cat "$SPOR_OUTBOX/$name"; separator=,; done
      printf ']}'; } > "$work/body"
    status=$(curl -sS -m 30 -o "$work/answer" -D "$work/head" -w '%{http_code}' -H 'Content-Type: application/json' \
      -H "X-Instrumentation-Key: $SPOR_KEY" --data-binary "@$work/body" "$SPOR_URL/api/events") || status=0
    touch "$work/answer" "$work/head"
    code=$(sed -n 's/^{"code":"\([a-z_]*\)".*/\1/p' "$work/answer") # empty if the answer is not the receiver's
    if grep -q '^{"receiptId"' "$work/answer" || [ "$code" = no_valid_event ]; then # its word about each event
      for index in $(grep -o '{"index":[0-9]*' "$work/answer" | cut -d: -f2); do
        eval "name=\${$((index + 1))}"
        cp "$work/answer" "$SPOR_OUTBOX/rejected/$name.verdict"
        mv "$SPOR_OUTBOX/$name" "$SPOR_OUTBOX/rejected/"
      done
      for name; do rm -f "$SPOR_OUTBOX/$name"; done
      most=$batch failures=0
    elif [ "$status" -eq 413 ] && [ -n "$code" ] && [ "$most" -gt 1 ]; then
      most=$((($# + 1) / 2))
    elif [ -n "$code" ] && [ "$status" -lt 500 ] && [ "$status" -ne 429 ]; then
      cat "$work/answer" >&2 # a person must act; the outbox keeps all
      exit 1
    else # 429, 500, 503, no answer, or a proxy's 502, 504 or page: send the same events again
      failures=$((failures + 1))
      [ "$failures" -lt $attempts ] || { echo 'Spor does not answer; the next run goes on' >&2; exit 1; }
      after=$(tr -d '\r' < "$work/head" | sed -n 's/^[Rr]etry-[Aa]fter: *//p')
      seed=$(od -An -N3 -tu4 /dev/urandom)
      sleep "$(awk -v n=$failures -v most=$longest_wait -v least="${after:-0}" -v seed="$seed" 'BEGIN {
        srand(seed); top = 0.5 * 2 ^ n; wait = rand() * (top < most ? top : most); print (wait > least ? wait : least) }')"
    fi
  done
}

case $1 in add) shift; add "$@" ;; *) send ;; esac
