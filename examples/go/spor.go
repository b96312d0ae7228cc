// Orders to Spor, with an outbox of files. Go 1.19 or newer, standard library only.
//
//	go run spor.go add ORDER_ID PRODUCT_ID QUANTITY UNIT_PRICE    when the order is stored
//	go run spor.go send                                           from cron or a worker, each minute
package main

import (
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"math"
	"math/big"
	mrand "math/rand"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

const batch, attempts, longestWait = 100, 8, 60.0

var outbox = os.Getenv("SPOR_OUTBOX")

type answer struct {
	ReceiptID, Code, Message string
	Rejected                 []struct {
		Index               int
		Code, Path, Message string
	}
}

func now() string { return time.Now().UTC().Format("2006-01-02T15:04:05.000Z") }

func must(err error) {
	if err != nil {
		log.Fatal(err)
	}
}

func add(orderID, productID, quantity, unitPrice string) {
	q, _ := new(big.Rat).SetString(quantity)
	p, _ := new(big.Rat).SetString(unitPrice)
	total := json.Number(new(big.Rat).Mul(q, p).FloatString(2)) // exact fractions: never add or multiply floats
	random := make([]byte, 9)
	_, err := rand.Read(random)
	must(err)
	digits := fmt.Sprintf("%x", random)
	hex := fmt.Sprintf("%012x7%s8%s", time.Now().UnixMilli(), digits[:3], digits[3:])
	id := strings.Join([]string{hex[:8], hex[8:12], hex[12:16], hex[16:20], hex[20:]}, "-") // made once, kept on every resend
	line := map[string]any{"productId": productID, "quantity": json.Number(quantity), "unitPrice": json.Number(unitPrice)}
	event, err := json.Marshal(map[string]any{"eventId": id, "type": "OrderCreated", "timestamp": now(), "anonymousId": "a-1",
		"orderId": orderID, "currency": "DKK", "total": total, "lines": []any{line}})
	must(err)
	must(os.WriteFile(filepath.Join(outbox, id+".new"), event, 0o600))
	must(os.Rename(filepath.Join(outbox, id+".new"), filepath.Join(outbox, id+".json"))) // a reader never sees half a file
}

// post returns the status, the answer (empty if it is not the receiver's) and Retry-After.
func post(events []string) (status int, said answer, wait float64) {
	body := fmt.Sprintf(`{"sentAt":%q,"events":[%s]}`, now(), strings.Join(events, ","))
	request, err := http.NewRequest("POST", os.Getenv("SPOR_URL")+"/api/events", strings.NewReader(body))
	must(err)
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("X-Instrumentation-Key", os.Getenv("SPOR_KEY"))
	response, err := (&http.Client{Timeout: 30 * time.Second}).Do(request)
	if err != nil {
		return 0, answer{}, 0
	}
	defer response.Body.Close()
	text, _ := io.ReadAll(response.Body)
	if json.Unmarshal(text, &said) != nil {
		said = answer{}
	}
	wait, _ = strconv.ParseFloat(response.Header.Get("Retry-After"), 64)
	return response.StatusCode, said, wait
}

func send() {
	for most, failures := batch, 0; ; {
		files, _ := filepath.Glob(filepath.Join(outbox, "*.json"))
		if len(files) == 0 {
			return
		}
		if len(files) > most {
			files = files[:most]
		}
		events := make([]string, len(files))
		for i, file := range files {
			text, err := os.ReadFile(file)
			must(err)
			events[i] = string(text)
		}
		status, said, wait := post(events)
		switch {
		case said.ReceiptID != "" || said.Code == "no_valid_event": // the receiver's word about each event
			for _, verdict := range said.Rejected {
				text, _ := json.Marshal(verdict)
				to := filepath.Join(outbox, "rejected", filepath.Base(files[verdict.Index]))
				must(os.WriteFile(to+".verdict", text, 0o600))
				must(os.Rename(files[verdict.Index], to))
			}
			for _, file := range files {
				os.Remove(file)
			}
			most, failures = batch, 0
		case status == 413 && said.Code != "" && most > 1:
			most = (len(files) + 1) / 2
		case said.Code != "" && status < 500 && status != 429:
			log.Fatalf("%d %s: %s", status, said.Code, said.Message) // a person must act; the outbox keeps all
		default: // 429, 500, 503, no answer, or a proxy's 502, 504 or page: send the same events again
			if failures++; failures == attempts {
				log.Fatal("Spor does not answer; the next run goes on")
			}
			jitter := mrand.Float64() * math.Min(longestWait, 0.5*math.Pow(2, float64(failures)))
			time.Sleep(time.Duration(math.Max(wait, jitter) * float64(time.Second)))
		}
	}
}

func main() {
	mrand.Seed(time.Now().UnixNano())
	must(os.MkdirAll(filepath.Join(outbox, "rejected"), 0o700))
	if os.Args[1] == "add" {
		add(os.Args[2], os.Args[3], os.Args[4], os.Args[5])
	} else {
		send()
	}
}
